"""Scores of every seed's generator, computed in this process or in others while training goes on."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from gan_lab.evaluation import FeatureBatch
from gan_lab.evaluation.evaluator import CHUNK, Evaluator
from gan_lab.evaluation.scorer import OnFailure, Scores
from gan_lab.training.engines import Engine
from gan_lab.utils.cores import available_cores

if TYPE_CHECKING:
    from gan_lab.evaluation.worker import Outcome
    from gan_lab.evaluation.workers import Workers

_log = logging.getLogger(__name__)

MOST_WORKERS = 8  # that are started unasked: each takes some hundred MB of memory


def number_of_workers(asked: int | None, device: torch.device, seeds: int) -> int:
    """Return how many processes compute scores, 0 for this one.

    Unasked there are some where training computes on another device, which leaves the CPU's cores to them.
    """
    if asked is not None:
        return min(asked, seeds)
    if device.type == "cpu":
        return 0
    return min(seeds, available_cores() - 1, MOST_WORKERS)


def extract_seeds(evaluator: Evaluator, engine: Engine) -> list[list[FeatureBatch]]:
    """Extract the features of every seed's samples; all seeds generate each part of theirs together."""
    latents = torch.stack([evaluator.latents(seed) for seed in engine.seeds])
    parts: list[list[FeatureBatch]] = [[] for _ in engine.seeds]
    for chunk, z in enumerate(torch.split(latents, CHUNK, dim=1)):
        samples = engine.generate(z.to(engine.config.device), "evaluation", chunk)
        for seed_parts, part in zip(parts, evaluator.extract(samples), strict=True):
            seed_parts.append(part)
    return parts


@dataclass
class PendingScores:
    """Scores of all seeds after one step, which may still be computed.

    on_lost: called with the error that has cost a seed all its scores.
    """

    evaluator: Evaluator
    features: list[list[FeatureBatch]]
    futures: "Sequence[Future[Outcome]]"
    on_failure: OnFailure
    on_lost: Callable[[BaseException], None]

    def are_done(self) -> bool:
        """Whether `scores` waits for no other process."""
        return all(future.done() for future in self.futures)

    def scores(self) -> list[Scores]:
        """Return the scores of every seed, without those that could not be computed."""
        if not self.futures:
            return [self._score(parts) for parts in self.features]
        return [
            self._result(future, parts) for future, parts in zip(self.futures, self.features, strict=True)
        ]

    def _score(self, parts: list[FeatureBatch]) -> Scores:
        return self.evaluator.score(parts, self.on_failure)

    def _result(self, future: "Future[Outcome]", parts: list[FeatureBatch]) -> Scores:
        from gan_lab.evaluation.workers import NotStarted

        try:
            outcome = future.result()
        except NotStarted as error:
            _log.info("scores are computed in this process: %s", error, exc_info=error)
            return self._score(parts)
        except Exception as error:
            self.on_lost(error)
            return {}
        for name, raised in outcome.failures:
            self.on_failure(name, raised.restored())
        return outcome.scores


class Scoring:
    """Computes scores in so many processes of its own; with 0, or where none can be started, in this one."""

    def __init__(self, evaluator: Evaluator, workers: int) -> None:
        self.evaluator = evaluator
        self._workers = self._started(workers) if workers > 0 else None

    def _started(self, number: int) -> "Workers | None":
        # Only here, so that whoever needs no processes imports nothing for them.
        from gan_lab.evaluation.workers import NotStarted, Workers

        try:
            return Workers(self.evaluator.scorer, number)
        except NotStarted as error:
            _log.info("scores are computed in this process: %s", error, exc_info=error)
            return None

    @property
    def is_here(self) -> bool:
        """Whether scores are computed in this process."""
        return self._workers is None

    def begin(
        self, engine: Engine, on_failure: OnFailure, on_lost: Callable[[BaseException], None]
    ) -> PendingScores:
        """Extract features of all seeds as they are now, and have them scored."""
        features = extract_seeds(self.evaluator, engine)
        futures = [self._workers.submit(parts) for parts in features] if self._workers is not None else []
        return PendingScores(self.evaluator, features, futures, on_failure, on_lost)

    def close(self) -> None:
        """End the processes, and what they compute."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None
