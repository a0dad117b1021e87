"""Worker processes that save their run when the command that launched them is stopped. Imports no torch.

joblib answers Ctrl-C by killing its workers. Here the launching process catches the signal, forwards it to
the workers that are training, and ends when they have saved their state.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from hydra.types import TaskFunction
from omegaconf import DictConfig

from gan_lab.sweeps.live import live_output
from gan_lab.utils.errors import RunFailedError
from gan_lab.utils.progress import steps_shown_elsewhere
from gan_lab.utils.signals import RunInterrupted, StopRequest, stop_requests

STOP = "stop"
_PRINTED = (1, 2)  # stdout and stderr


@dataclass(frozen=True)
class StoppableTask:
    """A run as a worker process calls it.

    folder: holds a file per worker that is training; output: to which the worker prints, None for where this
    process prints; launcher: the process that launched it, which has its own terminal.
    """

    task: TaskFunction
    folder: Path
    output: Path | None = None
    launcher: int = field(default_factory=os.getpid)

    def __call__(self, cfg: DictConfig) -> Any:
        # A terminal sends Ctrl-C to every process; only the launcher's forwarded signal counts here.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _stop_at_once)  # until there is something to save
        marker = self.folder / str(os.getpid())
        marker.touch()
        try:
            # First the marker, then this check; the launcher writes STOP first, then reads the markers.
            if (self.folder / STOP).exists():
                raise RunInterrupted(signal.SIGTERM)
            with printing_to(self.output if os.getpid() != self.launcher else None):
                return self.task(cfg)
        except KeyboardInterrupt as stop:
            # As an ordinary error: joblib kills all workers if one ends in any other way.
            raise RunFailedError(str(stop)) from None
        finally:
            marker.unlink(missing_ok=True)


@contextmanager
def printing_to(path: Path | None) -> Iterator[None]:
    """Have all that this process prints inside appended to a file; None changes nothing."""
    if path is None:
        yield
        return
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(number) for number in _PRINTED]
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        for number in _PRINTED:
            os.dup2(file, number)
        with steps_shown_elsewhere():
            yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for number, before in zip(_PRINTED, kept, strict=True):
            os.dup2(before, number)
        for number in (file, *kept):
            os.close(number)


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    raise RunInterrupted(number)


@contextmanager
def stoppable(task: TaskFunction) -> Iterator["StoppableTask"]:
    """Yield a task that workers can stop; raises `RunInterrupted` when all have, if a signal came.

    A second Ctrl-C ends at once, and no run is saved.
    """
    done = threading.Event()
    with TemporaryDirectory(prefix="gan-lab-") as name, stop_requests() as request:
        folder = Path(name)
        forwarder = threading.Thread(target=_forward_stop, args=(request, folder, done), daemon=True)
        forwarder.start()
        try:
            yield StoppableTask(task, folder, live_output())
        except Exception:
            if request.number is None:
                raise
        finally:
            done.set()
            forwarder.join()
    if request.number is not None:
        raise RunInterrupted(request.number)


def _forward_stop(request: StopRequest, folder: Path, done: threading.Event) -> None:
    """Wait for a stop signal and send SIGTERM to every worker that is training."""
    while request.number is None:
        if done.wait(0.1):
            return
    (folder / STOP).touch()
    for worker in folder.glob("[0-9]*"):
        with suppress(ProcessLookupError):
            os.kill(int(worker.name), signal.SIGTERM)


def chdir_to_launch_dir() -> None:
    """Enter the folder of the command that launched this Ray worker, in which all other workers start."""
    os.chdir(os.environ["GAN_LAB_FOLDER"])
