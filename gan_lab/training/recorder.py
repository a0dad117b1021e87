"""The callback that writes a run's folder: logs, sample grids, checkpoints, status, and the progress bar."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_lab.evaluation.evaluator import evaluation_digest
from gan_lab.evaluation.scorer import Scores
from gan_lab.gan.steps import Scalars
from gan_lab.runs import checkpoints
from gan_lab.runs.checkpoint_files import CHECKPOINTS
from gan_lab.runs.folder import seed_folder
from gan_lab.runs.naming import to_plain
from gan_lab.runs.results import write_results
from gan_lab.runs.stats import read_stats
from gan_lab.runs.status import Status, now
from gan_lab.runs.weights import write_weights
from gan_lab.training.best import BestGenerators
from gan_lab.training.build import Experiment
from gan_lab.training.diagnosing import Diagnoser
from gan_lab.training.engines import Engine, TrainState
from gan_lab.training.engines.state import clone_state
from gan_lab.training.in_order import InOrder
from gan_lab.training.loggers import Logger, SeedLoggers
from gan_lab.training.overview import Overview
from gan_lab.training.scoring import PendingScores, Scoring, number_of_workers
from gan_lab.training.tensorboard import SeedLog, rows
from gan_lab.utils.errors import summarize_exception
from gan_lab.utils.progress import annotate, progress_bar
from gan_lab.utils.seeding import stream
from gan_lab.utils.signals import StopRequest

_log = logging.getLogger(__name__)

Weights = Callable[[], dict[str, Tensor]]


class Recorder:
    """Writes a run's folder from step ``status.step`` on.

    diverged_states: last finite states of seeds that diverged before; best: the best generators so far.
    """

    def __init__(
        self,
        folder: Path,
        status: Status,
        experiment: Experiment,
        request: StopRequest,
        *,
        cfg: DictConfig,
        diverged_states: Sequence[TrainState] = (),
        best: BestGenerators | None = None,
    ) -> None:
        self.folder, self.status, self.request, self.cfg = folder, status, request, cfg
        self.data, self.evaluator = experiment.data, experiment.evaluator
        self.diagnoser = (
            Diagnoser(experiment.probe, experiment.diagnostics, experiment.max_probed_seeds)
            if experiment.probe is not None
            else None
        )
        self._execution = experiment.engine.execution if experiment.engine is not None else None
        self._failed: set[str] = set()
        self.latent_size, self.num_samples = cfg.model.latent_size, cfg.samples.number
        self.histograms = cfg.log.histograms
        self.diverged_states = {state.seed: state for state in diverged_states}
        self.best = best or BestGenerators()
        if self.evaluator is not None:
            self.best.forget_other_scores(self.evaluator.primary, status.measured_from)
        self.logs = {seed: self._seed_log(seed, experiment.loggers.get(seed, {})) for seed in status.seeds}
        self._scores, self._last_eval_step = self._last_scores()
        self._seconds_before = status.seconds
        self._begun = self._last_log = time.monotonic()
        self._last_log_step = status.step
        self._overview = Overview(folder, cfg.study, self._primary, self._overview_failed)
        self._bar = progress_bar(folder.name, total=status.steps, initial=status.step, unit="step")
        self._device = experiment.engine_config.device
        self._scoring: Scoring | None = None
        # What is logged waits for scores of an earlier step, if processes still compute them.
        self._in_order = InOrder()
        self._holds_checkpoint = False

    def _seed_log(self, seed: int, loggers: Mapping[str, Logger]) -> SeedLog:
        folder = seed_folder(self.folder, seed)
        return SeedLog(
            folder,
            self.status.step,
            primary=self._primary,
            layers=self.cfg.log.layers,
            loggers=SeedLoggers(loggers, folder, self._logger_failed),
        )

    def _last_scores(self) -> tuple[dict[int, Scores], int]:
        """Read the last scores: a run may have been stopped between its last step and its end."""
        if self.evaluator is None:
            return {}, -1
        tags = {f"metrics/{name}": name for name in self.evaluator.score_specs}
        last_scores, step = {}, -1
        for seed, log in self.logs.items():
            lines = [line for line in self._stats(log.folder) if not tags.keys().isdisjoint(line)]
            if lines and seed not in self.status.diverged:
                last_scores[seed] = {name: lines[-1][tag] for tag, name in tags.items() if tag in lines[-1]}
                step = lines[-1]["step"]
        return last_scores, step

    @property
    def _primary(self) -> str | None:
        return self.evaluator.primary if self.evaluator else None

    def begin(self, configuration: str) -> None:
        if self.status.step == 0:
            for log in self.logs.values():
                log.log_configuration(configuration)
        self.status.state, self.status.started = "running", self.status.started or now()
        self.status.save(self.folder)
        if self.evaluator is not None and self.status.step < self.status.steps:
            workers = number_of_workers(self.cfg.metrics.workers, self._device, len(self.status.seeds))
            self._scoring = Scoring(self.evaluator, workers)
        self._begin_loggers()
        self._log_real()

    def _begin_loggers(self) -> None:
        study, config = self.folder.absolute().parent.name, to_plain(self.cfg)
        for seed, log in self.logs.items():
            log.loggers.begin(study, self.folder.name, seed, self.status.step, config)

    def _log_real(self) -> None:
        """Show what is trained on, laid out as the samples are; a run that starts again writes it again."""
        if not self.cfg.samples.every:
            return
        step, number = self.status.step, min(self.num_samples, len(self.data))
        with self._observing("real samples", step):
            for seed, log in self.logs.items():
                if step == 0 or not log.has_real:
                    indices = torch.randperm(len(self.data), generator=stream(seed, "real samples"))[:number]
                    log.log_real(step, self.data.plot(self.data.batch(indices)))

    def step(self, step: int) -> None:
        self._bar.update()
        self._in_order.settle(wait=False)
        self._in_order(self._flush)
        self._overview.update()

    def _flush(self) -> None:
        for log in self.logs.values():
            log.flush()

    def settle(self) -> None:
        """Wait for all scores, and write what waits for them."""
        self._in_order.settle()

    def log_scalars(self, step: int, seeds: Sequence[int], numbers: Scalars) -> None:
        table = rows(numbers)
        speed = (step - self._last_log_step) / max(time.monotonic() - self._last_log, 1e-9)
        self._last_log, self._last_log_step = time.monotonic(), step
        at = time.time()
        for seed, row in zip(seeds, table, strict=True):
            self._in_order(partial(self.logs[seed].log_scalars, step, row, at))
            self._in_order(partial(self.logs[seed].log_speed, step, speed, at))
        mean = {n: sum(row[n] for row in table) / len(table) for n in table[0]}
        annotate(self._bar, f"D {mean['loss/discriminator']:.3f}, G {mean['loss/generator']:.3f}")

    def samples(self, step: int, engine: Engine) -> None:
        latent = torch.stack(
            [
                torch.randn(self.num_samples, self.latent_size, generator=stream(seed, "samples"))
                for seed in engine.seeds
            ]
        )
        with self._observing("samples", step):
            samples = engine.generate(latent.to(engine.config.device)).cpu()
            if self.histograms:
                self._in_order.settle()  # they are of the weights as they are now
            for index, seed in enumerate(engine.seeds):
                grid = self.data.plot(samples[index])
                self._in_order(partial(self._log_samples, step, seed, grid, time.time()))
                if self.histograms:
                    self.logs[seed].log_histograms(step, engine.parameters_and_grads(index))

    def _log_samples(self, step: int, seed: int, grid: Tensor, at: float) -> None:
        with self._observing("samples", step):
            self.logs[seed].log_samples(step, grid, at)

    def metrics(self, step: int, engine: Engine) -> None:
        if self._scoring is None:
            return
        self.settle()  # features of one step at most are in memory
        pending, at = None, time.time()
        with self._timed("metric_seconds"), self._observing("metrics", step):
            pending = self._scoring.begin(
                engine,
                on_failure=lambda name, error: self._not_measured(f"metric {name}", step, error),
                on_lost=lambda error: self._not_measured("metrics", step, error),
            )
            weights = self._weights_to_offer(engine)
        if pending is not None:
            log = partial(self._log_scores, step, engine.seeds, pending, weights, at)
            self._in_order(log, pending.are_done)

    def _log_scores(
        self, step: int, seeds: Sequence[int], pending: PendingScores, weights: Sequence[Weights], at: float
    ) -> None:
        """Log the scores of a step, for which this may wait, and have the best generators kept."""
        with self._timed("metric_seconds"), self._observing("metrics", step):
            per_seed = dict(zip(seeds, pending.scores(), strict=True))
            for seed, scores in per_seed.items():
                tagged = {f"metrics/{name}": value for name, value in scores.items()}
                self.logs[seed].log_scalars(step, tagged, at)
            self._scores, self._last_eval_step = per_seed, step
            if self.cfg.keep_best:
                self._offer_best(step, weights)

    def _weights_to_offer(self, engine: Engine) -> list[Weights]:
        """Return what gives each seed's generator as it is now, also after further steps."""
        assert self._scoring is not None
        weights = [partial(engine.sampled_generator, index) for index in range(len(engine.seeds))]
        if not self.cfg.keep_best or self._scoring.is_here:
            return list(weights)
        return [partial(clone_state, clone_state(one())) for one in weights]

    def _offer_best(self, step: int, weights: Sequence[Weights]) -> None:
        """Have the generators of all seeds kept whose scores, just measured, are their best."""
        assert self.evaluator is not None
        primary = self.evaluator.primary
        direction = self.evaluator.score_specs[primary].direction
        for (seed, scores), one in zip(self._scores.items(), weights, strict=True):
            self.best.offer(seed, step, primary, scores.get(primary), direction, one)

    def diagnostics(self, step: int, engine: Engine) -> None:
        if self.diagnoser is None:
            return
        with self._timed("diagnostic_seconds"):
            for seed, scalars in self.diagnoser(engine, lambda what: self._observing(what, step)):
                self._in_order(partial(self.logs[seed].log_scalars, step, scalars, time.time()))

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        setattr(self.status, name, getattr(self.status, name) + time.monotonic() - begun)

    @contextmanager
    def _observing(self, what: str, step: int) -> Iterator[None]:
        """Log an observation that fails, and train on: it is said once on the terminal, always in the log.

        An `OSError` still ends the run: what cannot write pictures cannot write checkpoints either.
        """
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            self._not_measured(what, step, error)

    def _not_measured(self, what: str, step: int, error: BaseException) -> None:
        reason = f"{what} not measured at step {step}: {summarize_exception(error)}"
        self._say_once(what, reason, error)

    def _logger_failed(self, name: str, step: int, error: BaseException) -> None:
        reason = f"logger {name} failed at step {step} and is left out: {summarize_exception(error)}"
        self._say_once(f"logger {name}", reason, error)

    def _overview_failed(self, error: BaseException) -> None:
        reason = f"the study's overview in TensorBoard was not written: {summarize_exception(error)}"
        self._say_once("overview", reason, error)

    def _say_once(self, what: str, reason: str, error: BaseException) -> None:
        """Log a failure that costs no more than itself; the first of its kind is said on the terminal."""
        _log.info("%s", reason, exc_info=error)
        if what not in self._failed:
            self._failed.add(what)
            self._bar.write(f"gan-lab: {reason}; training continues", file=sys.stderr)

    def diverged(self, step: int, last_finite: TrainState) -> None:
        self.settle()  # a checkpoint from before knows nothing of it
        seed = last_finite.seed
        self.status.diverged[seed] = step
        self.diverged_states[seed] = last_finite.clone()
        _log.info("seed %d diverged at step %d", seed, step)
        self._bar.write(
            f"seed {seed} diverged: its loss stopped being finite at step {step}; "
            "its last good state is kept",
            file=sys.stderr,
        )

    def checkpoint(self, step: int, states: Sequence[TrainState], last_finite: Sequence[TrainState]) -> None:
        """Write a checkpoint, once all scores up to this step are logged."""
        if self._holds_checkpoint:
            self.settle()  # states of one step at most are held
        content = {
            "states": [vars(state) for state in states],
            "last_finite": [] if last_finite is states else [vars(state) for state in last_finite],
            "diverged_states": [vars(state) for state in self.diverged_states.values()],
            "diverged": dict(self.status.diverged),
            "data_fingerprint": self.status.data_fingerprint,
            "data_samples": self.status.data_samples,
        }
        generators = {s.seed: s.generator for s in (*states, *self.diverged_states.values())}
        self._holds_checkpoint = True
        self._in_order(partial(self._write_checkpoint, step, content, generators))

    def _write_checkpoint(
        self, step: int, content: dict[str, Any], generators: Mapping[int, dict[str, Tensor]]
    ) -> None:
        for log in self.logs.values():
            log.fsync()
        if best := self.best.content():
            content["best"] = best
        folder, keep = self.folder / CHECKPOINTS, self.cfg.checkpoint.keep
        checkpoints.save(folder, step, self.status.identity, content, keep)
        for seed, generator in generators.items():
            write_weights(seed_folder(self.folder, seed), generator)
        self.best.write(self.folder)
        self._holds_checkpoint = False
        self.status.step = step
        self._save_status()

    def should_stop(self) -> bool:
        return self.request.number is not None

    def close_on_error(self, state: str, reason: str) -> None:
        """Close after an error without masking the original exception."""
        self._bar.close()
        with suppress(Exception):
            self._in_order.settle(wait=state == "failed")  # whoever asked twice to stop does not wait
        self._end_scoring()
        for log in self.logs.values():
            with suppress(Exception):
                log.close()
        with suppress(Exception):
            self._set_state(state, reason)
        self._end_loggers(state)

    def finish(self, state: str, reason: str = "") -> None:
        """Close everything, and record how the run ended."""
        self._bar.close()
        self.settle()
        self._end_scoring()
        for seed, log in self.logs.items():
            log.flush()
            self._results(seed)
            log.close()
        self._set_state(state, reason)
        self._end_loggers(state)
        self._overview.finish()

    def _end_scoring(self) -> None:
        if self._scoring is not None:
            self._scoring.close()

    def _end_loggers(self, state: str) -> None:
        """End them last: a logger may wait for its server, and the run has ended by then."""
        for seed, log in self.logs.items():
            successful = state == "finished" and seed not in self.status.diverged
            log.loggers.end(self.status.step, successful=successful)

    def _set_state(self, state: str, reason: str) -> None:
        _log.info("%s, checkpoint of step %d%s", state, self.status.step, f": {reason}" if reason else "")
        self.status.state, self.status.reason, self.status.ended = state, reason, now()
        self._save_status()

    def _save_status(self) -> None:
        seconds = time.monotonic() - self._begun
        self.status.seconds = self._seconds_before + seconds
        if self._execution is not None:  # a capture may have failed since the first step
            self.status.execution = self.status.sittings[-1].execution = self._execution.name
        self.status.sittings[-1].update(self.status.step, seconds)
        self.status.save(self.folder)

    def _results(self, seed: int) -> None:
        diverged = seed in self.status.diverged
        if self.evaluator is None or not (diverged or seed in self._scores):
            return
        folder = seed_folder(self.folder, seed)
        write_results(
            folder,
            seed=seed,
            step=self.status.diverged[seed] if diverged else self._last_eval_step,
            evaluation_digest=evaluation_digest(self.cfg),
            **self.evaluator.summarize(None if diverged else self._scores[seed], self._stats(folder)),
        )

    def _stats(self, folder: Path) -> list[dict[str, Any]]:
        return read_stats(folder, self.status.measured_from)
