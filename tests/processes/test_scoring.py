"""Scores that are computed by processes of their own while training goes on: the same files to the bit."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from gan_lab.runs.stats import read_stats
from tests.helpers.experiments import TINY_POINTS
from tests.helpers.killing import (
    EVERYTHING_OFTEN,
    Starter,
    differences,
    read_status,
    run_folder,
    signal_at_step,
    traces,
)

WORDS = (*TINY_POINTS, *EVERYTHING_OFTEN, "seeds=3")
# Scores take longer than all steps up to the next ones.
SLOW = (
    *(*WORDS, "seeds=2", "steps=20"),
    *("metric=[sliced_wasserstein]", "metric.sliced_wasserstein._target_=tests.helpers.metrics.Slow"),
    "+metric.sliced_wasserstein.seconds=1.5",
)
DIVERGING = (
    *(*WORDS, "steps=80", "log.every=10", "checkpoint.every=20", "samples.every=40"),
    *("metrics.every=40", "diagnostics.every=40"),
    *("activation=relu", "objective=wasserstein", "optimizer=sgd", "optimizer.lr=12"),
)
MARK = "GAN_LAB_TEST_MARK"


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A word in the environment of every process that this test starts, and those start."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    return mark


def put_mark(mark: str) -> None:
    os.environ[MARK] = mark


def put_mark_and_die(mark: str, step: int) -> None:
    put_mark(mark)
    signal_at_step(step, signal.SIGKILL)


def workers(mark: str) -> set[int]:
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                f"{MARK}={mark}".encode() in (process / "environ").read_bytes()
                and b"gan_lab.evaluation.worker" in (process / "cmdline").read_bytes()
                and os.getsid(int(process.name)) == int(process.name)  # no child of one
            ):
                found.add(int(process.name))
        except OSError:  # it has ended
            continue
    return found


def assert_no_workers(mark: str) -> None:
    deadline = time.monotonic() + 20
    while workers(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not workers(mark)


def differing(expected: dict[str, object], folder: Path) -> list[str]:
    """Names of what is not the same, but for the number of workers."""
    trace = traces(folder)
    return differences(_without_workers(expected), _without_workers(trace))


def _without_workers(trace: dict[str, Any]) -> dict[str, Any]:
    pattern = re.compile(rb"workers: \w+")
    return {
        name: pattern.sub(b"", value) if name.endswith("config.yaml") else value
        for name, value in trace.items()
    }


def records(folder: Path) -> Iterator[tuple[str, int, object]]:
    """Tag, step and value of all events of a seed but its configuration, in their order."""
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                is_speed = value.tag.startswith("9_speed/")
                if not value.tag.startswith("configuration"):
                    yield value.tag, event.step, None if is_speed else value.tensor.SerializeToString()


@pytest.mark.parametrize("number", [1, 2])
def test_files_are_the_same_to_the_bit(
    number: int, starter: Starter, expected: dict[str, object], tmp_path: Path, mark: str
) -> None:
    starter.finish(tmp_path / "here", WORDS)
    put = partial(put_mark, mark)
    process = starter.start(tmp_path / "there", (*WORDS, f"metrics.workers={number}"), put)
    seen = 0
    while process.is_alive():
        seen = max(seen, len(workers(mark)))
        time.sleep(0.01)
    assert (process.exitcode, seen) == (0, number)
    assert not differing(expected, tmp_path / "there")
    for seed in range(3):
        here, there = (run_folder(tmp_path / name) / f"seed_{seed}" for name in ("here", "there"))
        assert list(records(here)) == list(records(there))
    assert (tmp_path / "there/err").read_text() == ""
    assert_no_workers(mark)


def test_a_run_killed_before_its_scores_are_in_ends_in_the_same_bits(
    starter: Starter, tmp_path: Path, mark: str
) -> None:
    starter.finish(tmp_path / "here", SLOW)
    expected = traces(tmp_path / "here")
    folder = tmp_path / "there"
    for step in (8, 18):
        process = starter.start(
            folder,
            (*SLOW, "metrics.workers=2"),
            partial(put_mark_and_die, mark, step),
        )
        process.join(120)
        assert process.exitcode == -signal.SIGKILL
        lines = read_stats(run_folder(folder) / "seed_0")
        assert not any("metrics/sliced_wasserstein" not in line for line in lines if line["step"] % 10 == 0)
        # Rows and checkpoints after step 0 and 10 wait for their scores.
        assert max((line["step"] for line in lines), default=-1) < step // 10 * 10 + 1
        assert_no_workers(mark)
    starter.finish(folder, (*SLOW, "metrics.workers=2"))
    assert not differing(expected, folder)


def test_seeds_that_diverge_leave_the_same_behind(starter: Starter, tmp_path: Path) -> None:
    starter.finish(tmp_path / "here", DIVERGING)
    starter.finish(tmp_path / "there", (*DIVERGING, "metrics.workers=1"))
    expected = traces(tmp_path / "here")
    assert expected["status"]["diverged"]
    assert not differing(expected, tmp_path / "there")


def with_metric(name: str, *words: str) -> tuple[str, ...]:
    target = f"metric.sliced_wasserstein._target_=tests.helpers.metrics.{name}"
    return (*WORDS, "metric=[modes,sliced_wasserstein]", target, *words, "metrics.workers=1")


def test_a_metric_that_raises_costs_its_own_scores_only(starter: Starter, tmp_path: Path) -> None:
    starter.finish(tmp_path, with_metric("Fails"))
    folder = run_folder(tmp_path)
    err = (tmp_path / "err").read_text()
    assert err.strip() == (
        "gan-lab: metric sliced_wasserstein not measured at step 0: RuntimeError: Unpicklable: "
        "no number today; training continues"
    )
    assert "in __call__" in (folder / "train.log").read_text()
    for seed in range(3):
        lines = [line for line in read_stats(folder / f"seed_{seed}") if line["step"] % 10 == 0]
        assert [line["step"] for line in lines if "metrics/mode_js" in line] == [0, 10, 20, 30, 40]
        assert not any("metrics/sliced_wasserstein" in line for line in lines)


def test_a_worker_that_dies_costs_what_it_computed(starter: Starter, tmp_path: Path, mark: str) -> None:
    starter.finish(tmp_path, with_metric("Dies", "+metric.sliced_wasserstein.number=5"))
    lines = {seed: read_stats(run_folder(tmp_path) / f"seed_{seed}") for seed in range(3)}
    measured = {
        seed: [line["step"] for line in lines[seed] if "metrics/mode_js" in line] for seed in range(3)
    }
    # It is called for one seed after the other, and a fresh one begins to count anew.
    assert measured == {0: [0, 10, 20, 40], 1: [0, 20, 30, 40], 2: [0, 10, 20, 30]}
    err = (tmp_path / "err").read_text()
    assert (
        "metrics not measured at step 10: WorkerLost: the process that computed scores was ended by SIG"
        in err
    )
    assert err.strip().count("\n") == 0


def test_a_metric_that_cannot_be_sent_is_applied_in_the_training_process(
    starter: Starter, tmp_path: Path
) -> None:
    starter.finish(tmp_path / "there", with_metric("Stays"))
    starter.finish(tmp_path / "here", (*with_metric("Stays"), "metrics.workers=0"))
    assert not differing(traces(tmp_path / "here"), tmp_path / "there")
    log = (run_folder(tmp_path / "there") / "train.log").read_text()
    assert "scores are computed in this process: TypeError: stays here" in log


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_no_process_and_no_traceback(times: int, tmp_path: Path, mark: str) -> None:
    words = (*WORDS, "steps=100000", "metrics.workers=2", "checkpoint.every=0")
    with subprocess.Popen(
        [sys.executable, "-m", "gan_lab", "train", *words],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 120
        while (read_status(tmp_path) or {}).get("state") != "running" or len(workers(mark)) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        for _ in range(times):  # as a terminal does: to all processes of the group
            os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.count("\n") == 1
    assert_no_workers(mark)
    status = read_status(tmp_path)
    assert status is not None
    assert status["state"] == "interrupted"


def test_a_script_without_a_guard_may_have_workers(tmp_path: Path, mark: str) -> None:
    script = tmp_path / "script.py"
    words = [*WORDS, "steps=10", "metrics.workers=1"]
    script.write_text(
        f"from gan_lab import train_run\nprint('begun')\ntrain_run({words!r})\nprint('ended')\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["begun", "ended"]
    assert_no_workers(mark)
