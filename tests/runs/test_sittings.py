"""The sittings of runs that are stopped and resumed, here or elsewhere."""

import logging
import platform
from collections.abc import Iterator
from importlib.metadata import version

import pytest
import torch

from gan_lab.runs.run import Run
from tests.helpers.experiments import TINY_POINTS, train

WORDS = [*TINY_POINTS, "samples.every=0", "log.every=2", "checkpoint.every=2"]


@pytest.fixture
def another_thread() -> Iterator[int]:
    """Resume on one thread more than before."""
    before = torch.get_num_threads()
    yield before + 1
    torch.set_num_threads(before)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_a_resumed_run_keeps_its_sittings_and_sums_their_seconds(caplog: pytest.LogCaptureFixture) -> None:
    train([*WORDS, "steps=2"])
    with caplog.at_level(logging.WARNING, logger="gan_lab"):
        run = train([*WORDS, "steps=6"]).run
    first, second = run.sittings
    assert [(s.from_step, s.to_step) for s in run.sittings] == [(0, 2), (2, 6)]
    assert run.status.seconds == pytest.approx(first.seconds + second.seconds)
    assert first.seconds > 0
    assert second.versions == {
        "python": platform.python_version(),
        "gan-lab": version("gan-lab"),
        "torch": version("torch"),
    }
    assert (second.threads, second.engine) == (torch.get_num_threads(), "sequential")
    assert run.environment_changes == []
    assert not warnings(caplog)


def test_a_run_that_is_resumed_on_other_threads_says_that_bits_may_differ(
    another_thread: int, caplog: pytest.LogCaptureFixture
) -> None:
    train([*WORDS, "steps=2"])
    torch.set_num_threads(another_thread)
    with caplog.at_level(logging.WARNING, logger="gan_lab"):
        run = train([*WORDS, "steps=4"]).run
    change = f"threads {another_thread - 1}, then {another_thread}"
    assert run.environment_changes == [change]
    (warning,) = warnings(caplog)
    assert f"resumed in another environment ({change}): the last bits" in warning
    assert change in (run.folder / "train.log").read_text()


def test_a_sitting_that_was_killed_counts_up_to_its_last_checkpoint() -> None:
    """As a kill between a checkpoint and the status behind it leaves things."""
    folder = train([*WORDS, "steps=4"]).folder
    status = Run.load(folder).status
    status.state, status.step, status.sittings[0].to_step, status.seconds = "running", 2, 2, 1.5
    status.sittings[0].seconds = 1.5
    status.save(folder)
    run = train([*WORDS, "steps=6"]).run
    assert [(s.from_step, s.to_step) for s in run.sittings] == [(0, 4), (4, 6)]
    assert run.sittings[0].seconds == 1.5
    assert run.status.seconds == pytest.approx(1.5 + run.sittings[1].seconds)


def test_a_run_that_starts_over_has_no_sittings_before() -> None:
    train([*WORDS, "steps=2"])
    run = train([*WORDS, "steps=2", "rerun=true"]).run
    assert [(s.from_step, s.to_step) for s in run.sittings] == [(0, 2)]
