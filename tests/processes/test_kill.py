"""A run that was killed, however often and whenever, ends in the same bits as one that was not."""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.helpers.experiments import TINY_POINTS
from tests.helpers.kill_runs import KILLED
from tests.helpers.killing import (
    EVERYTHING_OFTEN,
    Starter,
    differences,
    kill_repeatedly,
    read_lines,
    read_status,
    traces,
)


@pytest.mark.parametrize(("name", "kills"), [("points", 16), ("images", 8)])
def test_killed_runs_end_in_the_same_bits(name: str, kills: int, starter: Starter, tmp_path: Path) -> None:
    rng = random.Random(os.environ.get("KILL_SEED", "gan-lab"))
    tally = kill_repeatedly(starter, KILLED[name], kills, rng, tmp_path)
    assert sum(tally.kills.values()) >= kills
    assert tally.kills["SIGKILL"] > 0
    assert not tally.differing


def test_the_comparison_sees_a_single_number(starter: Starter, tmp_path: Path) -> None:
    words = (*TINY_POINTS, *EVERYTHING_OFTEN)
    starter.finish(tmp_path / "a", words)
    before = traces(tmp_path / "a")
    (stats,) = (tmp_path / "a").glob("outputs/*/*/seed_1/stats.jsonl")
    text = stats.read_text()
    stats.write_text(text.replace('"step": 11,', '"step": 12,'))
    assert differences(before, traces(tmp_path / "a")) == ["seed_1/stats.jsonl"]
    stats.write_text(text)
    (stats.parent / "generator.safetensors").write_bytes(b"")
    assert differences(before, traces(tmp_path / "a")) == ["seed_1/generator.safetensors"]


def test_a_second_ctrl_c_stops_at_once_and_the_run_still_goes_on(starter: Starter, tmp_path: Path) -> None:
    words = (*TINY_POINTS, *EVERYTHING_OFTEN, "steps=400")
    starter.finish(tmp_path / "reference", words)
    process = starter.start(tmp_path / "stopped", words)
    deadline = time.monotonic() + 60
    while read_status(tmp_path / "stopped") is None or len(read_lines(tmp_path / "stopped")) < 20:
        assert time.monotonic() < deadline
        assert process.is_alive()
        time.sleep(0.01)
    assert process.pid is not None
    for _ in range(2):
        os.kill(process.pid, signal.SIGINT)
    process.join(10)
    assert process.exitcode == 130
    starter.finish(tmp_path / "stopped", words)
    assert not differences(traces(tmp_path / "reference"), traces(tmp_path / "stopped"))
