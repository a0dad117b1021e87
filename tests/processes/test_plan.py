"""`gan-lab plan` as it is called: in processes of its own, which leave nothing behind, however they end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.cli import Result, call_process
from tests.helpers.experiments import TINY_POINTS

SWEEP = ("-m", *TINY_POINTS, "activation=relu,elu", "seeds=2", "metrics.every=200", "metrics.samples=64")
DYING = """
import os
import torch

class Dying(torch.nn.Module):
    def forward(self, x):
        os._exit(7)
"""


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder for temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def left_in(scratch: Path) -> list[str]:
    here = {path.name for path in scratch.parent.iterdir()} - {scratch.name, "mine", "cache"}
    return sorted(here | {path.name for path in scratch.glob("gan-lab*")})


def test_a_plan_is_made_and_leaves_nothing(scratch: Path) -> None:
    code, out, err = call_process("plan", *SWEEP, "steps=2000", "--json")
    assert code == 0, err
    found = json.loads(out)
    alone, *others = (place for place in found["places"] if place["seconds"] is not None)
    steps = sum(kind["ms_per_step"] * 2000 / 1000 for kind in found["kinds"])
    assert alone["asked"]
    assert 0 < steps < alone["seconds"]
    assert all(kind["steps_timed"] > 20 for kind in found["kinds"])
    assert all({"metrics", "samples"} <= set(kind["each"]) for kind in found["kinds"])
    assert len(others) == (len(os.sched_getaffinity(0)) > 1)
    assert all(place["seconds"] > 0 for place in others)
    assert err == ""
    assert left_in(scratch) == []


def refusal(result: Result) -> str:
    assert result.out == ""
    assert result.err.startswith("gan-lab: ")
    assert result.err.count("\n") == 1, result.err
    return result.err


def test_what_only_training_finds_out_is_said_in_a_sentence(scratch: Path) -> None:
    result = call_process("plan", *SWEEP, "batch_size=5000")
    assert result.code == 2
    assert "batch_size must be at most 1000" in refusal(result)
    assert left_in(scratch) == []


def test_a_process_that_dies_is_said_in_a_sentence(scratch: Path) -> None:
    folder = scratch.parent / "mine" / "activation"
    folder.mkdir(parents=True)
    (folder.parent / "dying.py").write_text(DYING)
    (folder / "dying.yaml").write_text("_target_: dying.Dying\n")
    words = (*TINY_POINTS, "--config-dir", "mine", "activation=dying")
    result = call_process("plan", *words, PYTHONPATH=str(folder.parent))
    assert result.code == 1
    assert "the process that timed the runs ended with exit code 7" in refusal(result)
    assert left_in(scratch) == []


def test_it_can_be_stopped(scratch: Path) -> None:
    command = [sys.executable, "-m", "gan_lab", "plan", *SWEEP, "steps=2000"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(scratch.glob("gan-lab-plan-*/*/*/outputs")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err.splitlines()[-1]) == ("", "gan-lab: stopped")
    assert left_in(scratch) == []
