"""One run on its way: locked, started or resumed, recorded, and closed whatever happens."""

import errno
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from gan_lab.datasets.base import Dataset
from gan_lab.evaluation.evaluator import evaluation_digest
from gan_lab.gan.models.own import OwnNetwork
from gan_lab.gan.steps import PLAYERS
from gan_lab.runs import checkpoints
from gan_lab.runs.checkpoint_files import CHECKPOINTS
from gan_lab.runs.config_file import CONFIG, write_config
from gan_lab.runs.existing import existing_status, has_checkpoints, readable_status, require_resumable
from gan_lab.runs.folder import archive_run, finish_archiving, lock_run, require_unlinked
from gan_lab.runs.log import LOG, run_log
from gan_lab.runs.naming import identity
from gan_lab.runs.sittings import Sitting, resume_warning
from gan_lab.runs.status import ENDED, STATUS, Status, data_change, versions
from gan_lab.training.best import BestGenerators
from gan_lab.training.build import (
    Components,
    Experiment,
    Limits,
    build_experiment,
    fresh_states,
)
from gan_lab.training.engines import TrainState
from gan_lab.training.recorder import Recorder
from gan_lab.training.schedule import Schedule
from gan_lab.utils.devices import computing_on, describe_device, describe_hardware, select_device
from gan_lab.utils.errors import ConfigurationError, GanLabError, RunFailedError, summarize_exception
from gan_lab.utils.files import remove_temp_files
from gan_lab.utils.paths import relative
from gan_lab.utils.signals import RunInterrupted, stop_requests

_log = logging.getLogger(__name__)


@dataclass
class OpenRun:
    """A run that this process holds the lock of.

    status: None until `start_or_resume`, unless the folder held a run before; diverged_states: last finite
    states of seeds that diverged before; last_finite: see `gan_lab.training.divergence.DivergenceGuard`;
    best: the best generators so far.
    """

    cfg: DictConfig
    folder: Path
    choices: Mapping[str, Any]
    device: torch.device
    status: Status | None
    diverged_states: list[TrainState] = field(default_factory=list)
    last_finite: list[TrainState] = field(default_factory=list)
    best: BestGenerators = field(default_factory=BestGenerators)

    @property
    def step(self) -> int:
        """Generator steps done so far."""
        return self.status.step if self.status is not None else 0

    def is_complete(self, data: Dataset) -> bool:
        """Return whether a run that has ended without a checkpoint left is done all the same.

        Its data's files may have other times now, with the same content; their stamp is then recorded. Raises
        ConfigurationError if the content is another.
        """
        before = self.status
        if self.cfg.rerun or before is None or before.state not in ENDED or has_checkpoints(self.folder):
            return False
        require_same_data(before.data_fingerprint, before.data_samples, data)
        replace(before, data_stamp=data.stamp or "").save(self.folder)
        return True

    def start_or_resume(self, components: Components, limits: Limits) -> Experiment:
        """Build the experiment from the last checkpoint, or from fresh weights if there is none."""
        cfg, before = self.cfg, self.status
        if cfg.rerun and (self.folder / STATUS).exists():
            _log.info("archived the run that was here: %s", archive_run(self.folder))
            before = None
        saved = None
        if before is not None:
            require_same_data(before.data_fingerprint, before.data_samples, components.data)
            saved = checkpoints.load_latest(self.folder / CHECKPOINTS, identity(cfg))
        if saved is not None and saved["step"] > cfg.steps:
            raise ConfigurationError(
                f"steps must be at least {saved['step']}, which this run has done already, got {cfg.steps}: "
                "rerun=true starts over"
            )
        experiment = build_experiment(
            cfg,
            components,
            self._states(components, saved),
            limits,
            recorded=before if saved is not None else None,
        )
        self.status = replace(self._new_status(experiment), initial_weights=components.initial_weights)
        if before is not None and saved is not None:
            self.status = replace(
                self.status,
                step=saved["step"],
                diverged=saved["diverged"],
                measured_from=self._measured_from(before, saved["step"]),
                initial_weights=before.initial_weights,
                seconds=before.seconds,
                metric_seconds=before.metric_seconds,
                diagnostic_seconds=before.diagnostic_seconds,
            )
            self._continue_sittings(before.sittings, saved["step"])
        status = self.status
        trained_by = experiment.engine.description if experiment.engine is not None else status.engine
        _log.info("%s, %s, from step %d to %d", status.device, trained_by, status.step, cfg.steps)
        write_config(self.folder, cfg)
        return experiment

    def _states(self, components: Components, saved: dict[str, Any] | None) -> list[TrainState]:
        """Return fresh states, or take a checkpoint's out of it: an engine is to have the only copy."""
        if saved is None:
            return fresh_states(self.cfg, components)
        require_same_data(saved["data_fingerprint"], saved["data_samples"], components.data)
        states, self.diverged_states, self.last_finite = (
            [TrainState(**state) for state in saved.pop(name)]
            for name in ("states", "diverged_states", "last_finite")
        )
        self.best = BestGenerators(saved.pop("best", ()))
        return states

    def _measured_from(self, before: Status, step: int) -> int:
        """Return the first step whose scores are made as they are now, after resuming at ``step``."""
        if before.evaluation_digest == evaluation_digest(self.cfg):
            return min(before.measured_from, step + 1)
        return step + 1

    def _continue_sittings(self, before: Sequence[Sitting], step: int) -> None:
        """Add this sitting, which begins at ``step``; say so if bits may differ from it on."""
        assert self.status is not None
        (sitting,) = self.status.sittings
        sitting.from_step = sitting.to_step = step
        if before and before[-1].to_step < step:  # killed before it wrote a status
            before[-1].to_step = step
        if warning := resume_warning(before, sitting):
            _log.warning("%s: %s", relative(self.folder), warning)
        self.status.sittings = [*before, sitting]

    def _new_status(self, experiment: Experiment) -> Status:
        cfg, engine_config = self.cfg, experiment.engine_config
        return Status(
            identity=identity(cfg),
            state="running",
            step=0,
            steps=cfg.steps,
            seeds=list(range(cfg.seed, cfg.seed + cfg.seeds)),
            shape=list(experiment.data.shape),
            choices={k: v for k, v in self.choices.items() if v is not None and not k.startswith("hydra/")},
            device=describe_device(self.device),
            engine=engine_config.engine,
            execution=experiment.execution,
            precision=cfg.precision,
            gains=experiment.gains,
            evaluation_digest=evaluation_digest(cfg),
            versions=versions(),
            sittings=[_new_sitting(self.device, engine_config.engine, experiment.execution)],
            data_fingerprint=experiment.data.fingerprint,
            data_samples=len(experiment.data),
            data_stamp=experiment.data.stamp or "",
            sites={
                player: network.summary()
                for player in PLAYERS
                if isinstance(network := experiment.engine_config.template.get_submodule(player), OwnNetwork)
            },
        )

    @contextmanager
    def recording(self, experiment: Experiment) -> Iterator[Recorder]:
        """Record what happens inside; leave a final status, whether it ends, stops or fails."""
        assert self.status is not None
        cfg, status, folder = self.cfg, self.status, self.folder
        with stop_requests() as request:
            recorder = Recorder(
                folder,
                status,
                experiment,
                request,
                cfg=cfg,
                diverged_states=self.diverged_states,
                best=self.best,
            )
            try:
                recorder.begin((folder / CONFIG).read_text())
                yield recorder
                recorder.settle()
            except KeyboardInterrupt:
                recorder.close_on_error("interrupted", "stopped at once, after its last checkpoint")
                raise
            except BaseException as error:
                recorder.close_on_error("failed", describe_failure(error, cfg, folder))
                raise
            all_diverged = len(status.diverged) == len(status.seeds)
            if status.step < cfg.steps and not all_diverged and request.number is not None:
                stopped = RunInterrupted(request.number)
                recorder.finish("interrupted", str(stopped))
                raise stopped
            recorder.finish("diverged" if all_diverged else "finished")


@contextmanager
def open_run(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> Iterator[OpenRun]:
    """Lock a run's folder and log into it.

    Raises `RunFailedError` for whatever goes wrong inside that is not the configuration's fault; its
    traceback is in the run's log.
    """
    require_unlinked(folder)
    with lock_run(folder), run_log(folder / LOG):
        remove_temp_files(folder)
        finish_archiving(folder)
        run: OpenRun | None = None
        try:
            device = select_device(cfg.device)
            with computing_on(device, cfg.precision, deterministic=cfg.deterministic):
                status = readable_status(folder) if cfg.rerun else existing_status(cfg, folder)
                if status is not None and not cfg.rerun:
                    require_resumable(cfg, folder, status)
                if status is not None:  # tell whoever comes second who is here, also during setup
                    replace(status, **Status.process_info()).save(folder)
                run = OpenRun(cfg, folder, choices, device, status)
                yield run
        except GanLabError as error:
            _log.info("refused: %s", error)
            # A run that was not resumed is what it was before, also when and by whom it was trained.
            if run is not None and not cfg.rerun and run.status is not None and run.status is status:
                run.status.save(folder)
            raise
        except Exception as error:
            _log.info("failed", exc_info=True)
            reason = describe_failure(error, cfg, folder)
            raise RunFailedError(f"{reason} (full log: {relative(folder / LOG)})") from error


def _new_sitting(device: torch.device, engine: str, execution: str) -> Sitting:
    known = {name: text for name, text in versions().items() if name in ("python", "gan-lab", "torch")}
    return Sitting(describe_hardware(device), torch.get_num_threads(), engine, execution, known)


def require_same_data(fingerprint: str, samples: int, data: Dataset) -> None:
    """Raise `ConfigurationError` if a run was trained on other data than there are now."""
    change = data_change(fingerprint, samples, data.fingerprint, len(data))
    if change is not None:
        raise ConfigurationError(
            f"dataset={data.name} has changed since this run was trained on it ({change}): "
            "bring the old data back, take another study=..., or start over with rerun=true"
        )


def schedule_of(cfg: DictConfig) -> Schedule:
    """Read the intervals of a configuration."""
    return Schedule(
        steps=cfg.steps,
        log=cfg.log.every,
        samples=cfg.samples.every,
        metrics=cfg.metrics.every,
        diagnostics=cfg.diagnostics.every,
        checkpoint=cfg.checkpoint.every,
        checkpoint_minutes=cfg.checkpoint.minutes,
    )


def describe_failure(error: BaseException, cfg: DictConfig, folder: Path) -> str:
    """Say in one sentence what went wrong, and what to do if that is known."""
    if is_out_of_memory(error):
        return (
            f"out of memory with seeds={cfg.seeds} and batch_size={cfg.batch_size}: "
            f"lower one of them, or the width of the networks ({summarize_exception(error, bare=True)})"
        )
    if isinstance(error, OSError) and error.errno is not None:
        hint = ": make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        sentence = f"{summarize_exception(error, file=folder)}{hint}"
        if (folder / STATUS).exists():
            sentence += ", and the same command resumes from the last checkpoint"
        return sentence
    return summarize_exception(error)


def is_out_of_memory(error: BaseException) -> bool:
    """Recognize Python's and CUDA's errors, and PyTorch's on CPU and MPS, which differ in wording only."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    phrases = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in phrases)
