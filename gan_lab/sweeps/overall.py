"""How far a sweep is whose runs train at once, from the files of its runs. Imports no torch."""

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gan_lab.runs.run import Run
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.progress import SECONDS_PER_LINE
from gan_lab.utils.text import format_duration


@contextmanager
def progress_of_all(folders: Sequence[Path]) -> Iterator[None]:
    """Write a line to stderr every 30 seconds that several of the runs train at once.

    One that trains alone has a bar or lines of its own.
    """
    done = threading.Event()
    before = [_steps(folder) for folder in folders]

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


def overall(folders: Sequence[Path], before: Sequence[tuple[int, int, str]], seconds: float) -> str:
    """Say "5 of 14 runs ended, 2 training, about 12 min left"; empty if fewer than two train.

    before: what `_steps` found when the sweep began, so many seconds ago.
    """
    now = [_steps(folder) for folder in folders]
    moved = [after != first for after, first in zip(now, before, strict=True)]
    running = sum(state == "running" and new for (_, _, state), new in zip(now, moved, strict=True))
    ended = sum(state not in ("", "running") and new for (_, _, state), new in zip(now, moved, strict=True))
    if running < 2:
        return ""
    most = max(steps for _, steps, _ in now)
    all_steps = sum((steps or most) - step for step, steps, _ in before)
    left = sum((steps or most) - step for step, steps, state in now if state in ("", "running"))
    text = f"{ended} of {len(folders)} runs ended, {running} training"
    if all_steps > left > 0:
        text += f", about {format_duration(seconds * left / (all_steps - left))} left"
    return text


def _steps(folder: Path) -> tuple[int, int, str]:
    """Return (steps done, steps asked for, state) of a run; (0, 0, "") before it has begun."""
    with suppress(GanLabError, OSError):
        run = Run.load(folder)
        return run.step, run.status.steps, run.status.state
    return 0, 0, ""
