"""A sweep outlives its members: what kills the process that trains a run costs that run only."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_lab.runs.status import Status
from tests.helpers.experiments import TINY_POINTS

Cli = Callable[..., tuple[int, str, str]]
FEW = (*TINY_POINTS, "steps=4", "samples.every=0", "metrics.every=0", "diagnostics.every=0", "log.every=1")
DEATHS = """
import os, signal, sys, time
import torch
from torch import nn

class Deadly(nn.ReLU):
    calls = 0
    def forward(self, x):
        Deadly.calls += 1
        if Deadly.calls > 150:
            self.die()
        return super().forward(x)

class Killed(Deadly):
    def die(self): os.kill(os.getpid(), signal.SIGKILL)

class Segfault(Deadly):
    def die(self): os.kill(os.getpid(), signal.SIGSEGV)

class OsExit(Deadly):
    def die(self): os._exit(3)

class SysExit(Deadly):
    def die(self): sys.exit(3)

class Hangs(Deadly):
    def die(self): time.sleep(600)
"""


@pytest.fixture
def mine(tmp_path: Path) -> list[str]:
    (tmp_path / "mine/activation").mkdir(parents=True)
    (tmp_path / "mine/deaths.py").write_text(DEATHS)
    for name in ("Killed", "Segfault", "OsExit", "SysExit", "Hangs"):
        (tmp_path / f"mine/activation/{name.lower()}.yaml").write_text(f"_target_: deaths.{name}\n")
    return ["--config-dir", str(tmp_path / "mine")]


def test_no_death_ends_a_sweep(run_cli: Cli, mine: list[str], tmp_path: Path) -> None:
    names = "killed,segfault,osexit,sysexit,relu"
    words = ("train", *mine, "-m", f"activation={names}", *FEW, "steps=40", "study=deaths")
    code, out, err = run_cli(*words, PYTHONPATH=str(tmp_path / "mine"))
    assert code == 1
    assert "5 runs in outputs/deaths: 4 failed, 1 finished" in out
    assert "the process that trained it was ended by SIGKILL" in out
    assert "the process that trained it was ended by SIGSEGV" in out
    assert "the process that trained it ended with exit code 3" in out
    assert "SystemExit: 3" in out
    assert "Traceback" not in out + err
    # Why is still known when the sweep's table has scrolled away.
    (folder,) = Path("outputs/deaths").glob("activation=osexit*")
    assert "the process that trained it ended with exit code 3" in Status.load(folder).reason
    assert "semaphore" not in err


def test_a_run_without_progress_can_be_given_a_limit(run_cli: Cli, mine: list[str], tmp_path: Path) -> None:
    words = ("train", *mine, "-m", "activation=hangs,relu", *FEW, "steps=40", "study=hangs")
    code, out, _ = run_cli(*words, "hydra.launcher.minutes=0.5", PYTHONPATH=str(tmp_path / "mine"))
    assert code == 1
    assert "it made no progress for 0.5 minutes" in out
    assert "2 runs in outputs/hangs: 1 failed, 1 finished" in out


def test_two_terminals_share_a_sweep() -> None:
    words = ["train", "-m", "activation=relu,elu,tanh", *FEW, "steps=300", "study=shared"]
    command = [sys.executable, "-m", "gan_lab", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    outs = [process.communicate(timeout=280) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert any("trained elsewhere" in out or "skipped" in out for out, _ in outs)
    assert len(list(Path("outputs/shared").glob("*/status.json"))) == 3


def test_a_killed_sweep_leaves_no_worker_behind() -> None:
    words = ["train", "-m", "activation=relu,elu", *FEW, "steps=100000", "study=orphan"]
    command = [sys.executable, "-m", "gan_lab", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while (
        not (stats := list(Path("outputs/orphan").glob("*/seed_0/stats.jsonl"))) or not stats[0].read_text()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    _, err = process.communicate(timeout=60)  # until the worker, which has the same stderr, has ended
    assert "Traceback" not in err
    run = stats[0].parents[1]
    while '"interrupted"' not in (run / "status.json").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert list((run / "checkpoint").glob("*.pt"))
