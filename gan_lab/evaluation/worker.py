"""A process that scores features for a run in training; `gan_lab.evaluation.workers` starts it."""

import os
import pickle
import sys
from collections.abc import Sequence
from queue import SimpleQueue
from threading import Thread
from traceback import format_exception
from typing import IO, NamedTuple

import numpy as np
import torch

from gan_lab.evaluation.metrics.base import FeatureBatch
from gan_lab.evaluation.scorer import Scorer, Scores

# Features and logits of some samples, as they travel.
Arrays = tuple[np.ndarray, np.ndarray | None]


class Raised(NamedTuple):
    """An error on its way to another process, and its traceback, which would be lost there."""

    error: BaseException
    text: str

    @classmethod
    def of(cls, error: BaseException) -> "Raised":
        text = "".join(format_exception(error))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # somebody else's class
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return cls(error, text)

    def restored(self) -> BaseException:
        """Return the error, with the traceback as its cause, where a log shows it."""
        self.error.__cause__ = _Traceback(self.text)
        return self.error


class _Traceback(Exception):
    def __str__(self) -> str:
        return f"in the process that computes scores:\n{self.args[0]}"


class Outcome(NamedTuple):
    """Scores of one seed, and (name, error) of the metrics that failed."""

    scores: Scores
    failures: list[tuple[str, Raised]]


def serve() -> None:
    """Answer every request, in turn, until the other end is closed; the body of the process.

    The first request is a `Scorer`, and whether PyTorch is to be deterministic; the others are features.
    """
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a metric prints is no reply
    requests: SimpleQueue[bytes] = SimpleQueue()
    Thread(target=_read, args=(sys.stdin.buffer, requests), daemon=True).start()
    torch.set_flush_denormal(True)  # as the process that trains does
    try:
        scorer, deterministic = pickle.loads(requests.get())
        if deterministic:
            torch.use_deterministic_algorithms(True)
    except Exception as error:
        _reply(replies, Raised.of(error))
        return
    _reply(replies, None)
    while True:
        try:
            _reply(replies, _outcome(scorer, pickle.loads(requests.get())))
        except Exception as error:
            _reply(replies, Raised.of(error))


def _outcome(scorer: Scorer, parts: Sequence[Arrays]) -> Outcome:
    batches = [
        FeatureBatch(
            torch.from_numpy(features),
            None if logits is None else torch.from_numpy(logits),
            scorer.real.modes,
        )
        for features, logits in parts
    ]
    failures: list[tuple[str, Raised]] = []
    scores = scorer(batches, lambda name, error: failures.append((name, Raised.of(error))))
    return Outcome(scores, failures)


def _read(source: IO[bytes], requests: "SimpleQueue[bytes]") -> None:
    """Hand on requests; end the process, in the midst of whatever it does, when nobody waits for it."""
    while True:
        try:
            requests.put(pickle.load(source))
        except Exception:  # the other end is closed, perhaps within a request
            os._exit(0)


def _reply(replies: IO[bytes], answer: object) -> None:
    data = pickle.dumps(answer)
    try:
        replies.write(data)
        replies.flush()
    except OSError:
        os._exit(0)
