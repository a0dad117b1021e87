"""Scores of a run's generators: measured, logged in their order, summarized, and the best generators kept."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_lab.evaluation.evaluator import Evaluator, evaluation_digest
from gan_lab.evaluation.scorer import Scores
from gan_lab.runs.folder import seed_folder
from gan_lab.runs.results import write_results
from gan_lab.runs.stats import StatsReader
from gan_lab.runs.status import Status
from gan_lab.training.best import BestGenerators
from gan_lab.training.engines import Engine
from gan_lab.training.engines.state import clone_state
from gan_lab.training.in_order import InOrder
from gan_lab.training.observing import Observations, counted_in
from gan_lab.training.scoring import PendingScores, Scoring, number_of_workers
from gan_lab.training.tensorboard import SeedLog

Weights = Callable[[], dict[str, Tensor]]


class ScoreLog:
    """Has every seed's generator scored; what is logged later waits while other processes do it.

    best: the best generators so far.
    """

    def __init__(
        self,
        folder: Path,
        cfg: DictConfig,
        status: Status,
        evaluator: Evaluator,
        logs: Mapping[int, SeedLog],
        best: BestGenerators,
        in_order: InOrder,
        observations: Observations,
    ) -> None:
        self.folder, self.cfg, self.status, self.evaluator = folder, cfg, status, evaluator
        self.logs, self.best = logs, best
        self._in_order, self._observations = in_order, observations
        self._last, self._last_step = self._read_last()
        self._scoring: Scoring | None = None

    def _read_last(self) -> tuple[dict[int, Scores], int]:
        """Read the last scores: a run may have been stopped between its last step and its end."""
        tags = self._tags()
        last, step = {}, -1
        for seed, log in self.logs.items():
            lines = self._lines_with_scores(log.folder)
            if lines and seed not in self.status.diverged:
                last[seed] = {name: lines[-1][tag] for tag, name in tags.items() if tag in lines[-1]}
                step = lines[-1]["step"]
        return last, step

    def begin(self, device: torch.device) -> None:
        """Start the processes that score; device: on which the run trains."""
        workers = number_of_workers(self.cfg.metrics.workers, device, len(self.status.seeds))
        self._scoring = Scoring(self.evaluator, workers)

    def measure(self, step: int, engine: Engine) -> None:
        """Have the generators scored as they are now, and log their scores when it is their turn."""
        assert self._scoring is not None
        self._in_order.settle()  # features of one step at most are in memory
        pending, at = None, time.time()
        not_measured = self._observations.not_measured
        with counted_in(self.status, "metric_seconds"), self._observations.observing("metrics", step):
            pending = self._scoring.begin(
                engine,
                on_failure=lambda name, error: not_measured(f"metric {name}", step, error),
                on_lost=lambda error: not_measured("metrics", step, error),
            )
            weights = self._weights_to_offer(engine)
        if pending is not None:
            log = partial(self._log, step, engine.seeds, pending, weights, at)
            self._in_order(log, pending.are_done)

    def _weights_to_offer(self, engine: Engine) -> list[Weights]:
        """Return what gives each seed's generator as it is now, also after further steps."""
        assert self._scoring is not None
        weights = [partial(engine.sampled_generator, index) for index in range(len(engine.seeds))]
        if not self.cfg.keep_best or self._scoring.is_here:
            return list(weights)
        return [partial(clone_state, clone_state(one())) for one in weights]

    def _log(
        self, step: int, seeds: Sequence[int], pending: PendingScores, weights: Sequence[Weights], at: float
    ) -> None:
        """Log the scores of a step, for which this may wait, and have the best generators kept."""
        with counted_in(self.status, "metric_seconds"), self._observations.observing("metrics", step):
            per_seed = dict(zip(seeds, pending.scores(), strict=True))
            for seed, scores in per_seed.items():
                tagged = {f"metrics/{name}": value for name, value in scores.items()}
                self.logs[seed].log_scalars(step, tagged, at)
            self._last, self._last_step = per_seed, step
            if self.cfg.keep_best:
                self._offer_best(step, weights)

    def _offer_best(self, step: int, weights: Sequence[Weights]) -> None:
        """Have the generators of all seeds kept whose scores, just measured, are their best."""
        primary = self.evaluator.primary
        direction = self.evaluator.score_specs[primary].direction
        for (seed, scores), one in zip(self._last.items(), weights, strict=True):
            self.best.offer(seed, step, primary, scores.get(primary), direction, one)

    def write_results(self, seed: int) -> None:
        """Write a seed's ``results.json``, unless it was never measured."""
        diverged = seed in self.status.diverged
        if not (diverged or seed in self._last):
            return
        folder = seed_folder(self.folder, seed)
        write_results(
            folder,
            seed=seed,
            step=self.status.diverged[seed] if diverged else self._last_step,
            evaluation_digest=evaluation_digest(self.cfg),
            **self.evaluator.summarize(
                None if diverged else self._last[seed], self._lines_with_scores(folder)
            ),
        )

    def close(self) -> None:
        """End the processes, and what they compute."""
        if self._scoring is not None:
            self._scoring.close()

    def _tags(self) -> dict[str, str]:
        return {f"metrics/{name}": name for name in self.evaluator.score_specs}

    def _lines_with_scores(self, folder: Path) -> list[dict[str, Any]]:
        """Read a seed's lines that have scores: few of all that it has logged."""
        tags = self._tags()
        lines = StatsReader(folder, self.status.measured_from).new_lines()
        return [line for line in lines if not tags.keys().isdisjoint(line)]
