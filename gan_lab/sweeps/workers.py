"""Runs in worker processes that stop when the process that started them is asked to. Imports no torch.

joblib answers Ctrl-C by killing its workers. Here the process that launched them keeps the signal to itself,
passes it on to whoever trains, and leaves only when they have saved their state.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from hydra.types import TaskFunction
from omegaconf import DictConfig

from gan_lab.utils.errors import RunFailedError
from gan_lab.utils.signals import RunInterrupted, StopRequest, stop_requests

STOP = "stop"


@dataclass(frozen=True)
class Stoppable:
    """A run as a worker process calls it. ``folder`` holds a file for each worker that is training."""

    task: TaskFunction
    folder: Path

    def __call__(self, cfg: DictConfig) -> Any:
        # A terminal sends Ctrl-C to all of them, busy or not; the launcher says who shall stop.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _stop_at_once)  # until there is something to save
        own = self.folder / str(os.getpid())
        own.touch()
        try:
            # First the own file, then this question; the launcher does it the other way round.
            if (self.folder / STOP).exists():
                raise RunInterrupted(signal.SIGTERM)
            return self.task(cfg)
        except KeyboardInterrupt as stop:
            # As an error like others: what leaves a worker otherwise has joblib kill its neighbors.
            raise RunFailedError(str(stop)) from None
        finally:
            own.unlink(missing_ok=True)


def _stop_at_once(number: int, frame: FrameType | None) -> None:
    raise RunInterrupted(number)


@contextmanager
def stoppable(task: TaskFunction) -> Iterator["Stoppable"]:
    """Give workers a task that can be stopped; raises `RunInterrupted` once they all have.

    Asked a second time with Ctrl-C, it leaves at once, and nobody saves.
    """
    over = threading.Event()
    with TemporaryDirectory(prefix="gan-lab-") as name, stop_requests() as request:
        folder = Path(name)
        courier = threading.Thread(target=_pass_on, args=(request, folder, over), daemon=True)
        courier.start()
        try:
            yield Stoppable(task, folder)
        except Exception:
            if request.number is None:
                raise
        finally:
            over.set()
            courier.join()
    if request.number is not None:
        raise RunInterrupted(request.number)


def _pass_on(request: StopRequest, folder: Path, over: threading.Event) -> None:
    """Wait until somebody asks to stop, and tell those who train."""
    while request.number is None:
        if over.wait(0.1):
            return
    (folder / STOP).touch()
    for worker in folder.glob("[0-9]*"):
        with suppress(ProcessLookupError):
            os.kill(int(worker.name), signal.SIGTERM)


def enter_folder() -> None:
    """Where Ray's workers begin: in the folder of the command that launched them, as all others do."""
    os.chdir(os.environ["GAN_LAB_FOLDER"])
