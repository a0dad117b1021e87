"""Processes that time runs, one alone or several at once, and leave nothing behind. Imports no torch."""

import multiprocessing
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from tqdm import tqdm

from gan_lab.training.forecast import Timing, side_by_side
from gan_lab.utils.cores import THREAD_VARIABLES
from gan_lab.utils.errors import GanLabError, RunFailedError, summarize_exception

_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Gpus:
    """What PyTorch sees in a process: how many CUDA devices, and whether there is Apple's."""

    cuda: int
    mps: bool


class TimingProcesses:
    """As many processes as trained at once, each in a folder of its own that is removed at the end.

    threads: of each; None for as many as a run would have that is started here.
    """

    def __init__(self, at_once: int = 1, threads: int | None = None) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would inherit threads and locks
        self._folder = tempfile.TemporaryDirectory(prefix="gan-lab-plan-", ignore_cleanup_errors=True)
        self._workers = []
        self._begun = time.monotonic()
        with _variables({} if threads is None else dict.fromkeys(THREAD_VARIABLES, str(threads))):
            for number in range(at_once):
                ours, theirs = spawn.Pipe()
                arguments = (theirs, Path(self._folder.name, str(number)))
                process = spawn.Process(target=_serve, args=arguments, daemon=True)
                process.start()
                theirs.close()
                self._workers.append((process, ours))
        self.start: float | None = None

    def __enter__(self) -> "TimingProcesses":
        return self

    def __exit__(self, *_: object) -> None:
        for process, connection in self._workers:
            connection.close()
            process.join(_PATIENCE_SECONDS)
            process.kill()
            process.join()
        self._folder.cleanup()

    def gpus(self) -> Gpus:
        """Return which GPUs the first process sees; it imports PyTorch for that."""
        found = self._ask(None)[0]
        assert isinstance(found, Gpus)
        return found

    def time(self, cfg: Mapping[str, Any], choices: Mapping[str, Any], seconds: float) -> Timing:
        """Train the first steps of a plain configuration in all processes at once for about so many seconds.

        The first time a run of one seed comes before it, and ``start`` is how long all took until its end:
        what a process does once. Raises what the run would raise.
        """
        if self.start is None:
            self._ask(({**cfg, "seeds": 1}, choices, 0.0))
            self.start = time.monotonic() - self._begun
        return side_by_side(self._ask((cfg, choices, seconds)))

    def _ask(self, question: Any) -> list[Any]:
        for _, connection in self._workers:
            connection.send(question)
        answers = []
        for process, connection in self._workers:
            try:
                answer = connection.recv()
            except EOFError:
                process.join()
                text = f"the process that timed the runs ended with exit code {process.exitcode}"
                raise RunFailedError(text) from None
            if isinstance(answer, BaseException):
                raise answer
            answers.append(answer)
        return answers


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for processes that start meanwhile, where they are not set."""
    own = {name: value for name, value in values.items() if name not in os.environ}
    os.environ.update(own)
    try:
        yield
    finally:
        for name in own:
            del os.environ[name]


def _serve(connection: Connection, folder: Path) -> None:
    """Time what is asked for until the other end closes; the body of a process."""
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # bars and warnings of runs that nobody asked for
        os.dup2(nowhere, stream)
    tqdm.set_lock(threading.RLock())  # its own would be left to the system by a process that is ended
    number = 0
    with suppress(EOFError, ConnectionError, KeyboardInterrupt):
        while True:
            question = connection.recv()
            answer: object
            try:
                answer = _gpus() if question is None else _timing(question, folder / str(number))
            except GanLabError as error:
                answer = type(error)(re.sub(r" \(full log: .*\)$", "", str(error)))  # which is removed
            except Exception as error:
                answer = RunFailedError(summarize_exception(error))
            number += 1
            connection.send(answer)


def _gpus() -> Gpus:
    import torch

    return Gpus(torch.cuda.device_count(), torch.backends.mps.is_available())


def _timing(question: tuple[dict[str, Any], Mapping[str, Any], float], folder: Path) -> Timing:
    from gan_lab.training.timing import time_run

    plain, choices, seconds = question
    cfg = OmegaConf.create(plain)
    return time_run(cfg, folder / "outputs" / cfg.study / "run", choices, seconds)
