"""Sweeps that are watched, stopped and compared: what the tests of launchers share."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import TINY_POINTS

from gan_lab.runs import Status

FEW = ("samples.every=0", "metrics.every=0", "diagnostics.every=0")
LONG = ("train", "-m", *TINY_POINTS, *FEW, "steps=3000", "log.every=50", "checkpoint.every=300")


def weights(study: str, folder: Path = Path()) -> dict[str, bytes]:
    """Folder's name -> what its generator's file holds."""
    found = folder.glob(f"outputs/{study}/*/seed_0/generator.safetensors")
    return {path.parents[1].name: path.read_bytes() for path in found}


def outcomes(out: str) -> dict[str, str]:
    """activation -> what the table at the end says of it."""
    lines = out[out.rindex("\nrun ") :].splitlines()[2:]
    rows = [line.split() for line in lines[: lines.index("")]]
    return {row[0].partition(",")[0].removeprefix("activation="): row[1] for row in rows}


def statuses(study: str) -> list[Status]:
    found = [Status.load(path.parent) for path in Path("outputs", study).glob("*/status.json")]
    return [status for status in found if status is not None]


def until(holds: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def training(study: str, number: int) -> Callable[[], bool]:
    """Whether so many runs are past their first checkpoint, and none is near its end."""

    def holds() -> bool:
        return len([one for one in statuses(study) if 300 <= one.step < 3000]) == number

    return holds


@contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    """`gan-lab` in the background, as a terminal starts it: in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gan_lab", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
