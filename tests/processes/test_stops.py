"""Runs that are stopped at one given step, meet one another, or are asked for less than they have done."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.experiments import TINY_POINTS
from tests.helpers.killing import (
    EVERYTHING_OFTEN,
    Starter,
    at_step,
    differences,
    read_lines,
    read_status,
    run_folder,
    traces,
)

WORDS = (*TINY_POINTS, *EVERYTHING_OFTEN)
# Two of three seeds diverge, at steps 57 and 66; they are looked at every ten steps.
DIVERGING = (
    *(*WORDS, "seeds=3", "steps=80", "log.every=10", "checkpoint.every=20", "samples.every=40"),
    *("metrics.every=40", "diagnostics.every=40"),
    *("activation=relu", "objective=wasserstein", "optimizer=sgd", "optimizer.lr=12"),
)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def hold_at_step(step: int, reached: Path, go: Path) -> None:
    at_step(step, lambda: (reached.touch(), wait_for(go)))


def hold_at_the_beginning(reached: Path, go: Path) -> None:
    """Have this process wait while it puts the experiment together."""
    from gan_lab.training import build

    original = build.build_components

    def waiting(*arguments: Any) -> Any:
        reached.touch()
        wait_for(go)
        return original(*arguments)

    build.build_components = waiting


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_leaves_a_checkpoint_of_the_very_step(
    name: str, starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    number = getattr(signal, name)
    assert starter.stop(tmp_path, WORDS, 11, number) == 128 + number
    newest = max((run_folder(tmp_path) / "checkpoint").glob("step_*.pt"))
    assert newest.name == "step_00000011.pt"
    assert (tmp_path / "err").read_text() == f"gan-lab: stopped by {name}\n"
    starter.finish(tmp_path, WORDS)
    assert not differences(expected, traces(tmp_path))


def test_the_last_good_state_of_a_seed_that_diverges_does_not_depend_on_stops(
    starter: Starter, tmp_path: Path
) -> None:
    starter.finish(tmp_path / "straight", DIVERGING)
    straight = traces(tmp_path / "straight")
    assert straight["status"]["diverged"] == {"2": 57, "0": 66}
    for step in (53, 61):
        folder = tmp_path / f"stopped_at_{step}"
        assert starter.stop(folder, DIVERGING, step, signal.SIGTERM) == 143
        starter.finish(folder, DIVERGING)
        assert not differences(straight, traces(folder)), step


def test_less_than_has_been_done_is_refused_and_the_run_is_unharmed(
    starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    starter.stop(tmp_path, WORDS, 30, signal.SIGKILL)
    (tmp_path / "err").write_text("")
    process = starter.start(tmp_path, (*WORDS, "steps=14"))
    process.join(30)
    went_on = process.is_alive()
    process.kill()
    assert not went_on, "it trains past the steps that were asked for"
    assert process.exitcode == 2
    assert re.search(r"^gan-lab: .*steps.* 28\b.*\n$", (tmp_path / "err").read_text())
    starter.finish(tmp_path, WORDS)
    assert not differences(expected, traces(tmp_path))


def train_for_real(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gan_lab", "train", *WORDS],
        cwd=folder,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def test_a_process_without_a_fork_server_is_killed_to_the_same_bits(
    expected: dict[str, object], tmp_path: Path
) -> None:
    with train_for_real(tmp_path) as process:
        while read_status(tmp_path) is None or len(read_lines(tmp_path)) < 5:
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
    with train_for_real(tmp_path) as process:
        assert process.wait(120) == 0
    assert not differences(expected, traces(tmp_path))


def test_whoever_comes_second_is_told_who_is_there_and_does_no_harm(
    starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    reached, go = tmp_path / "reached", tmp_path / "go"
    first = starter.start(tmp_path, WORDS, partial(hold_at_step, 20, reached, go))
    wait_for(reached)
    status = read_status(tmp_path)
    assert status is not None
    with train_for_real(tmp_path) as second:
        _, err = second.communicate(timeout=120)
    assert second.returncode == 2
    assert (
        f"is being trained by process {first.pid} on {os.uname().nodename}, since {status['started']}" in err
    )
    assert len(err.splitlines()) == 1
    go.touch()
    first.join(120)
    assert first.exitcode == 0
    assert not differences(expected, traces(tmp_path))


def test_who_holds_a_run_is_said_rightly_while_it_is_being_set_up(starter: Starter, tmp_path: Path) -> None:
    starter.stop(tmp_path, WORDS, 11, signal.SIGKILL)
    assert (run_folder(tmp_path) / ".lock").exists()  # of a dead process, and no obstacle
    reached, go = tmp_path / "reached", tmp_path / "go"
    first = starter.start(tmp_path, WORDS, partial(hold_at_the_beginning, reached, go))
    wait_for(reached)
    (tmp_path / "err").write_text("")
    second = starter.start(tmp_path, WORDS)
    second.join(60)
    go.touch()
    first.join(120)
    assert (second.exitcode, first.exitcode) == (2, 0)
    assert f"is being trained by process {first.pid} on" in (tmp_path / "err").read_text()
