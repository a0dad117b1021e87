"""A run is timed by its first steps: a step apart from what is due, in a folder of its own."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gan_lab.training.engines import Engine
from gan_lab.training.recorder import Recorder
from gan_lab.training.timing import time_run
from tests.helpers.experiments import TINY_POINTS, composed

RING = (*TINY_POINTS, "seeds=2", "metrics.every=500", "metrics.samples=64", "diagnostics.every=500")
STEP, FIRST, SCORES, SAVING = 1 / 64, 0.5, 0.25, 0.125  # seconds; sums of these are exact


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock on which a step, a scoring and a checkpoint take as long as above, and all else nothing."""
    clock = SimpleNamespace(now=0.0, scored=0)
    fake = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr("gan_lab.training.timing.time", fake)

    def slower(owner: type, name: str, seconds: Any) -> None:
        original = getattr(owner, name)

        def wrapped(*arguments: Any) -> Any:
            clock.now += seconds()
            return original(*arguments)

        monkeypatch.setattr(owner, name, wrapped)

    def scoring() -> float:
        clock.scored += 1
        return FIRST if clock.scored == 1 else SCORES

    slower(Engine, "generator_step", lambda: STEP)
    slower(Recorder, "metrics", scoring)
    slower(Recorder, "checkpoint", lambda: SAVING)
    slower(Recorder, "finish", lambda: 3.0)
    return clock


def test_a_step_is_timed_apart_from_what_is_due(tmp_path: Path, clock: SimpleNamespace) -> None:
    cfg = composed(*RING, "steps=100000", "metrics.every=10", "log.every=5")
    timing = time_run(cfg, tmp_path / "outputs/ring/run", {}, 0.5)
    assert timing.step == STEP
    assert timing.steps == 0.5 / STEP  # after those that only warm up
    assert timing.first == {"samples": 0.0, "metrics": FIRST, "diagnostics": 0.0}
    assert timing.each == timing.first | {"log": 0.0, "metrics": SCORES, "checkpoint": SAVING}
    assert timing.finish == 3.0
    assert clock.scored == 2
    assert timing.device.startswith("cpu")


def test_what_takes_long_is_done_once(tmp_path: Path, clock: SimpleNamespace, monkeypatch: Any) -> None:
    monkeypatch.setattr("gan_lab.training.timing.LONG_SECONDS", FIRST / 2)
    timing = time_run(composed(*RING, "steps=100000"), tmp_path / "outputs/ring/run", {}, 0.5)
    assert clock.scored == 1
    assert timing.each["metrics"] == timing.first["metrics"] == FIRST


def test_bytes_are_those_of_the_files(tmp_path: Path) -> None:
    folder = tmp_path / "outputs/ring/run"
    timing = time_run(composed(*RING, "steps=6"), folder, {}, 0.0)
    pictures = list(folder.glob("seed_*/samples/step_000006.png"))
    assert len(pictures) == 2
    # TensorBoard's file holds each picture again.
    assert timing.bytes_each["samples"] >= 2 * sum(path.stat().st_size for path in pictures)
    saved = sum(path.stat().st_size for path in (folder / "checkpoint").iterdir())
    assert timing.bytes_each["checkpoint"] == saved
    found = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert timing.bytes_once + sum(timing.bytes_each.values()) < found


def test_a_run_of_one_step_is_timed_too(tmp_path: Path) -> None:
    timing = time_run(composed(*RING, "steps=1", "samples.every=0"), tmp_path / "outputs/ring/run", {}, 9.0)
    assert (timing.steps, "samples" in timing.each) == (1, False)
    assert timing.step > 0
