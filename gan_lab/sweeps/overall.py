"""How far a sweep is, from the files of its runs. Imports no torch."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from gan_lab.runs.run import Run
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.progress import SECONDS_PER_LINE
from gan_lab.utils.text import format_duration


class Snapshot(NamedTuple):
    """Steps done, steps asked for and state of a run; zeros and nothing before it has begun."""

    step: int = 0
    steps: int = 0
    state: str = ""


@contextmanager
def lines_of_all(folders: Sequence[Path]) -> Iterator[None]:
    """Write a line to stderr every 30 seconds that several of the runs train at once.

    One that trains alone has a bar or lines of its own.
    """
    done = threading.Event()
    before = [snapshot(folder) for folder in folders]

    def watch() -> None:
        begun = time.monotonic()
        while not done.wait(SECONDS_PER_LINE):
            if line := overall(folders, before, time.monotonic() - begun):
                print(line, file=sys.stderr, flush=True)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def overall(folders: Sequence[Path], before: Sequence[Snapshot], seconds: float) -> str:
    """Say "5 of 14 runs ended, 2 training, about 12 min left"; empty if fewer than two train.

    before: what `snapshot` found when the sweep began, so many seconds ago.
    """
    text, running = _where(folders, before, seconds)
    return text if running > 1 else ""


def where(folders: Sequence[Path], before: Sequence[Snapshot], seconds: float) -> str:
    """Say the same, and of runs one after the other "run 3 of 14, about 12 min left"."""
    return _where(folders, before, seconds)[0]


def _where(folders: Sequence[Path], before: Sequence[Snapshot], seconds: float) -> tuple[str, int]:
    """Return what is said, and how many runs train."""
    now = [snapshot(folder) for folder in folders]
    moved = [after != first for after, first in zip(now, before, strict=True)]
    running = sum(one.state == "running" and new for one, new in zip(now, moved, strict=True))
    ended = sum(one.state not in ("", "running") and new for one, new in zip(now, moved, strict=True))
    if running > 1:
        text = f"{ended} of {len(folders)} runs ended, {running} training"
    else:
        text = f"run {min(ended + 1, len(folders))} of {len(folders)}"
    most = max(one.steps for one in now)
    all_steps = sum((one.steps or most) - one.step for one in before)
    left = sum((one.steps or most) - one.step for one in now if one.state in ("", "running"))
    if all_steps > left > 0:
        text += f", about {format_duration(seconds * left / (all_steps - left))} left"
    return text, running


def snapshot(folder: Path) -> Snapshot:
    with suppress(GanLabError, OSError):
        run = Run.load(folder)
        return Snapshot(run.step, run.status.steps, run.status.state)
    return Snapshot()
