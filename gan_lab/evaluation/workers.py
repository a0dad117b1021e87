"""Processes that score features while a run trains on.

They are started with `subprocess`, not with `multiprocessing`: what trains may be a process that may have no
children there, or a script that must not be imported a second time.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue

import cloudpickle
import torch

from gan_lab.evaluation.metrics.base import FeatureBatch
from gan_lab.evaluation.scorer import Scorer
from gan_lab.evaluation.worker import Outcome, Raised
from gan_lab.utils.cores import THREAD_VARIABLES
from gan_lab.utils.errors import summarize_exception
from gan_lab.utils.signals import NAMES, describe_exit

# Signals come first: those that stop a run are for the process that trains, which still wants its scores.
_BOOT = """
import pickle, signal, sys
ignored, sys.path[:] = pickle.load(sys.stdin.buffer)
for number in ignored:
    signal.signal(number, signal.SIG_IGN)
from gan_lab.evaluation.worker import serve
serve()
"""


class NotStarted(Exception):
    """A process could not begin to score, say because it cannot import a metric: nothing has been tried."""


class WorkerLost(Exception):
    """A process ended while it computed scores, which are lost."""


class Workers:
    """Processes that score the features of one seed each; a fresh one takes the place of one that ends.

    Raises `NotStarted` for metrics that cannot be sent to another process, and where none can be started.
    """

    def __init__(self, scorer: Scorer, number: int) -> None:
        try:
            # Also classes of a notebook, which no module has.
            self._setup = cloudpickle.dumps((scorer, torch.are_deterministic_algorithms_enabled()))
        except Exception as error:
            raise NotStarted(summarize_exception(error)) from error
        self._closed = False
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._all: list[_Worker] = []
        self._threads = ThreadPoolExecutor(number, "scores")  # one per process, which waits for it
        try:
            for _ in range(number):
                self._idle.put(self._started())
        except NotStarted:
            self.close()
            raise

    def submit(self, parts: Sequence[FeatureBatch]) -> "Future[Outcome]":
        """Have the parts scored together. Its result may raise `NotStarted` or `WorkerLost`."""
        return self._threads.submit(self._score, parts)

    def close(self) -> None:
        """End all processes at once, and with them what they still compute."""
        self._closed = True
        for worker in self._all:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)
        for worker in self._all:  # one may have been started in the meantime
            worker.close()

    def _started(self) -> "_Worker":
        try:
            worker = _Worker(self._setup)
        except OSError as error:
            raise NotStarted(summarize_exception(error)) from error
        self._all.append(worker)
        return worker

    def _score(self, parts: Sequence[FeatureBatch]) -> Outcome:
        worker = self._idle.get()
        try:
            if not worker.is_alive and not self._closed:
                self._all.remove(worker)
                worker.close()
                worker = self._started()
            return worker.score(parts)
        finally:
            self._idle.put(worker)


class _Worker:
    def __init__(self, setup: bytes) -> None:
        # In a session of its own: a terminal sends Ctrl-C to every process of ours.
        self._process = subprocess.Popen(
            [sys.executable, "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1"),
            start_new_session=True,
        )
        self._setup: bytes | None = setup
        ignored = [int(getattr(signal, name)) for name in NAMES if hasattr(signal, name)]
        self._send((ignored, sys.path))  # so that it imports what it needs at once

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def score(self, parts: Sequence[FeatureBatch]) -> Outcome:
        if self._setup is not None:
            self._begin(self._setup)
            self._setup = None
        features = [(p.features.numpy(), None if p.logits is None else p.logits.numpy()) for p in parts]
        try:
            self._send(pickle.dumps(features, protocol=pickle.HIGHEST_PROTOCOL))
            answer = self._receive()
        except (OSError, EOFError):
            ended = describe_exit(self._process.wait())
            raise WorkerLost(f"the process that computed scores {ended}") from None
        if isinstance(answer, Raised):
            raise answer.restored()
        assert isinstance(answer, Outcome)
        return answer

    def _begin(self, setup: bytes) -> None:
        try:
            self._send(setup)
            answer = self._receive()
        except (OSError, EOFError):
            raise NotStarted(f"the process {describe_exit(self._process.wait())}") from None
        if isinstance(answer, Raised):
            raise NotStarted(summarize_exception(answer.error)) from answer.restored()

    def _send(self, request: object) -> None:
        assert self._process.stdin is not None
        pickle.dump(request, self._process.stdin)
        self._process.stdin.flush()

    def _receive(self) -> object:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """End it; no thread may wait for it any more."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # what was not sent to it any more
                pipe.close()
