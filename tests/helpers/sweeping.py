"""Sweeps that are watched, stopped and compared: what the tests of launchers share."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_lab.runs.status import Status
from tests.helpers.experiments import TINY_POINTS

FEW = ("samples.every=0", "metrics.every=0", "diagnostics.every=0")
GATED = (
    *("train", "-m", "--config-dir", "mine", *TINY_POINTS, *FEW),
    *("steps=600", "log.every=50", "checkpoint.every=30"),
)
LATE = """
from torch import nn
class Late(nn.Module):
    calls = 0
    def forward(self, x):
        Late.calls += 1
        if Late.calls > 150: raise ValueError("too late")
        return x
"""
GATE = """
import os, signal, time
from pathlib import Path
from torch import nn

HERE = Path(__file__).parent
calls = 0

def wait(module, inputs):
    global calls
    calls += 1
    if calls == 800 and not (HERE / "go").exists():
        for number in (signal.SIGTERM, signal.SIGUSR2):  # Ctrl-C is for the command, which tells its workers
            listen(number, signal.getsignal(number))
        (HERE / f"reached-{os.getpid()}").touch()
    while calls >= 800 and not (HERE / "go").exists():
        time.sleep(0.01)

def listen(number, before):
    def handle(number, frame):
        before(number, frame)
        (HERE / f"signaled-{os.getpid()}").touch()
    signal.signal(number, handle)

class ReLU(nn.ReLU):
    def __init__(self):
        super().__init__()
        self.register_forward_pre_hook(wait)

class ELU(nn.ELU):
    def __init__(self):
        super().__init__()
        self.register_forward_pre_hook(wait)
"""


def weights(study: str, folder: Path = Path()) -> dict[str, bytes]:
    """Digits of a run's identity, with which its folder's name ends -> what its generator's file holds."""
    found = folder.glob(f"outputs/{study}/*/seed_0/generator.safetensors")
    return {path.parents[1].name.rpartition("-")[2]: path.read_bytes() for path in found}


def outcomes(out: str) -> dict[str, str]:
    """activation -> what the table at the end says of it."""
    lines = out[out.rindex("\nrun ") :].splitlines()[2:]
    rows = [re.split(r"\s{2,}", line) for line in lines[: lines.index("")]]
    names = [re.fullmatch(r"activation=(\w+)(,.*)?-[0-9a-f]{8}", row[0]) for row in rows]
    return {name[1]: row[1] for name, row in zip(names, rows, strict=True) if name}


def statuses(study: str) -> list[Status]:
    found = [Status.load(path.parent) for path in Path("outputs", study).glob("*/status.json")]
    return [status for status in found if status is not None]


def until(holds: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Gate:
    """Where runs with the activations `gated_*` wait, in a step past a checkpoint, until it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gated.py").write_text(GATE)
        (folder / "mine/activation").mkdir(parents=True, exist_ok=True)
        for name in ("ReLU", "ELU"):
            path = folder / f"mine/activation/gated_{name.lower()}.yaml"
            path.write_text(f"_target_: gated.{name}\n")
        self.environment = {"PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}

    def waiting(self) -> list[int]:
        """The processes that wait at it."""
        return [int(path.name.removeprefix("reached-")) for path in self.folder.glob("reached-*")]

    def signaled(self) -> list[int]:
        """Those of them that have been sent a signal."""
        return [int(path.name.removeprefix("signaled-")) for path in self.folder.glob("signaled-*")]

    def open(self) -> None:
        (self.folder / "go").touch()


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """`gan-lab` in the background, as a terminal starts it: in a process group of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "gan_lab", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
