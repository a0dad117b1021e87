"""The callback that writes a run's folder: logs, sample grids, checkpoints, status, and the progress bar."""

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_lab.config.loggers import Logger
from gan_lab.gan.steps import Scalars
from gan_lab.runs import checkpoints
from gan_lab.runs.checkpoint_files import CHECKPOINTS
from gan_lab.runs.folder import seed_folder
from gan_lab.runs.naming import to_plain
from gan_lab.runs.status import Status, now
from gan_lab.runs.weights import write_weights
from gan_lab.training.best import BestGenerators
from gan_lab.training.build import Experiment
from gan_lab.training.diagnosing import Diagnoser
from gan_lab.training.engines import Engine, TrainState
from gan_lab.training.in_order import InOrder
from gan_lab.training.loggers import SeedLoggers
from gan_lab.training.observing import Observations, counted_in
from gan_lab.training.overview import Overview
from gan_lab.training.score_log import ScoreLog
from gan_lab.training.tensorboard import SeedLog, rows
from gan_lab.utils.progress import annotate, progress_bar
from gan_lab.utils.seeding import stream
from gan_lab.utils.signals import StopRequest

_log = logging.getLogger(__name__)


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
        self.data = experiment.data
        self._primary = experiment.evaluator.primary if experiment.evaluator is not None else None
        self._observations = Observations(lambda line: self._bar.write(line, file=sys.stderr))
        self.diagnoser = (
            Diagnoser(experiment.probe, experiment.diagnostics, experiment.max_probed_seeds)
            if experiment.probe is not None
            else None
        )
        self._execution = experiment.engine.execution if experiment.engine is not None else None
        self.latent_size, self.num_samples = cfg.model.latent_size, cfg.samples.number
        self.histograms = cfg.log.histograms
        self.diverged_states = {state.seed: state for state in diverged_states}
        self.best = best or BestGenerators()
        if self._primary is not None:
            self.best.forget_other_scores(self._primary, status.measured_from)
        self.logs = {seed: self._seed_log(seed, experiment.loggers.get(seed, {})) for seed in status.seeds}
        # What is logged waits for scores of an earlier step, if processes still compute them.
        self._in_order = InOrder()
        self._holds_checkpoint = False
        self._scores = (
            ScoreLog(
                folder,
                cfg,
                status,
                experiment.evaluator,
                self.logs,
                self.best,
                self._in_order,
                self._observations,
            )
            if experiment.evaluator is not None
            else None
        )
        self._seconds_before = status.seconds
        self._begun = self._last_log = time.monotonic()
        self._last_log_step = status.step
        self._overview = Overview(folder, cfg.study, self._primary, self._observations.overview_failed)
        self._bar = progress_bar(folder.name, total=status.steps, initial=status.step, unit="step")
        self._device = experiment.engine_config.device

    def _seed_log(self, seed: int, loggers: Mapping[str, Logger]) -> SeedLog:
        folder = seed_folder(self.folder, seed)
        return SeedLog(
            folder,
            self.status.step,
            primary=self._primary,
            layers=self.cfg.log.layers,
            loggers=SeedLoggers(loggers, folder, self._observations.logger_failed),
        )

    def begin(self, configuration: str) -> None:
        if self.status.step == 0:
            for log in self.logs.values():
                log.log_configuration(configuration)
        self.status.state, self.status.started = "running", self.status.started or now()
        self.status.save(self.folder)
        if self._scores is not None and self.status.step < self.status.steps:
            self._scores.begin(self._device)
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
        with self._observations.observing("real samples", step):
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
        with self._observations.observing("samples", step):
            samples = engine.generate(latent.to(engine.config.device)).cpu()
            if self.histograms:
                self._in_order.settle()  # they are of the weights as they are now
            for index, seed in enumerate(engine.seeds):
                grid = self.data.plot(samples[index])
                self._in_order(partial(self._log_samples, step, seed, grid, time.time()))
                if self.histograms:
                    self.logs[seed].log_histograms(step, engine.parameters_and_grads(index))

    def _log_samples(self, step: int, seed: int, grid: Tensor, at: float) -> None:
        with self._observations.observing("samples", step):
            self.logs[seed].log_samples(step, grid, at)

    def metrics(self, step: int, engine: Engine) -> None:
        if self._scores is not None:
            self._scores.measure(step, engine)

    def diagnostics(self, step: int, engine: Engine) -> None:
        if self.diagnoser is None:
            return
        observing = partial(self._observations.observing, step=step)
        with counted_in(self.status, "diagnostic_seconds"):
            for seed, scalars in self.diagnoser(engine, observing):
                self._in_order(partial(self.logs[seed].log_scalars, step, scalars, time.time()))

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
        self._end_scores()
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
        self._end_scores()
        for seed, log in self.logs.items():
            log.flush()
            if self._scores is not None:
                self._scores.write_results(seed)
            log.close()
        self._set_state(state, reason)
        self._end_loggers(state)
        self._overview.finish()

    def _end_scores(self) -> None:
        if self._scores is not None:
            self._scores.close()

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
