"""One run from its first step, or from its last checkpoint, to its end."""

import errno
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_lab.runs import checkpoints
from gan_lab.runs.folder import archive_run, lock_run
from gan_lab.runs.log import LOG, run_log
from gan_lab.runs.naming import identity, to_plain
from gan_lab.runs.status import Status, existing_status, versions
from gan_lab.training import loop
from gan_lab.training.build import Experiment, build_experiment, config_key_for
from gan_lab.training.engines import PLAYERS, TrainState
from gan_lab.training.recorder import Recorder
from gan_lab.utils.devices import describe_device, select_device, set_deterministic
from gan_lab.utils.errors import ConfigurationError, GanLabError, RunFailedError
from gan_lab.utils.files import atomic_write, remove_temp_files, truncate
from gan_lab.utils.paths import relative
from gan_lab.utils.signals import RunInterrupted, stop_requests

_log = logging.getLogger(__name__)


def run_training(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> None:
    """Train ``cfg`` in ``folder``, which nobody else may do meanwhile.

    Raises `RunFailedError` for whatever goes wrong on the way that is not the configuration's fault; its
    traceback stands in the run's log.
    """
    with lock_run(folder), run_log(folder / LOG):
        remove_temp_files(folder)
        try:
            _begin_or_go_on(cfg, folder, choices)
        except GanLabError as error:
            _log.info("refused: %s", error)
            raise
        except Exception as error:
            _log.info("failed", exc_info=True)
            raise RunFailedError(
                f"{_in_words(error, cfg, folder)} (full log: {relative(folder / LOG)})"
            ) from error


def _begin_or_go_on(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> None:
    device = select_device(cfg.device)
    set_deterministic(cfg.deterministic)
    status = Status.load(folder) if cfg.rerun else existing_status(cfg, folder)
    if status is not None:  # whoever comes second is told who is here, also while it is being set up
        here = Status.process_info()
        replace(status, **here).save(folder)
    experiment = build_experiment(cfg, device)
    if status is not None and cfg.rerun:
        _log.info("put aside what was there: %s", archive_run(folder, status))
        status = None
    saved = checkpoints.load_latest(folder / "checkpoint", device) if status else None
    if saved is not None and saved["step"] > cfg.steps:
        raise ConfigurationError(
            f"steps must be at least {saved['step']}, which this run has done already, got {cfg.steps}: "
            "rerun=true starts over"
        )
    fresh = _new_status(cfg, experiment, choices)
    if status is None or saved is None:
        status = fresh
    else:
        status = replace(
            fresh,
            step=saved["step"],
            diverged=saved["diverged"],
            seconds=status.seconds,
            metric_seconds=status.metric_seconds,
            diagnostic_seconds=status.diagnostic_seconds,
        )
        experiment.load_states([TrainState(**m) for m in saved["members"]])
    _log.info("%s, %s, from step %d to %d", status.device, status.engine, status.step, cfg.steps)
    atomic_write(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))))
    frozen = [TrainState(**m) for m in saved["frozen"]] if saved else []
    good = [TrainState(**m) for m in saved.get("good", [])] if saved else []
    _train(cfg, folder, status, experiment, frozen, good)


def _train(
    cfg: DictConfig,
    folder: Path,
    status: Status,
    experiment: Experiment,
    frozen: Sequence[TrainState],
    good: Sequence[TrainState],
) -> None:
    schedule = loop.Schedule(
        steps=cfg.steps,
        log=cfg.log.every,
        samples=cfg.samples.every,
        metrics=cfg.metrics.every,
        diagnostics=cfg.diagnostics.every,
        checkpoint=cfg.checkpoint.every,
        checkpoint_minutes=cfg.checkpoint.minutes,
    )
    with stop_requests() as request:
        recorder = Recorder(
            folder,
            status,
            experiment.data,
            request,
            latent_size=cfg.model.latent_size,
            pictured=cfg.samples.number,
            histograms=cfg.log.histograms,
            cfg=cfg,
            evaluator=experiment.evaluator,
            probe=experiment.probe,
            diagnostics=experiment.diagnostics,
            frozen=frozen,
        )
        try:
            recorder.begin((folder / "config.yaml").read_text(), hyperparameters(cfg, status))
            done = status.step
            if not experiment.batches.seeds:
                recorder.checkpoint(status.step, [], [])
            else:
                done = loop.train(
                    experiment.engine, experiment.batches, schedule, recorder, status.step, good
                )
        except KeyboardInterrupt:
            recorder.abandon("interrupted", "stopped at once, after its last checkpoint")
            raise
        except BaseException as error:
            recorder.abandon("failed", _in_words(error, cfg, folder))
            raise
        if done < cfg.steps and request.number is not None:
            stopped = RunInterrupted(request.number)
            recorder.end("interrupted", str(stopped))
            raise stopped
        recorder.end("diverged" if len(status.diverged) == len(status.seeds) else "finished")


def _in_words(error: BaseException, cfg: DictConfig, folder: Path) -> str:
    """What went wrong, in one sentence, with what to do where that is known."""
    said = truncate(str(error)) or "no reason given"
    if is_out_of_memory(error):
        return (
            f"out of memory with seeds={cfg.seeds} and batch_size={cfg.batch_size}: "
            f"lower one of them, or the width of the networks ({said})"
        )
    if isinstance(error, OSError) and error.errno is not None:
        file = Path(os.fsdecode(error.filename)) if error.filename is not None else folder
        where = truncate(str(relative(file)))
        hint = ": make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return (
            f"{where}: {error.strerror}{hint}, and the same command goes on from the last checkpoint"
            if (folder / "status.json").exists()
            else f"{where}: {error.strerror}{hint}"
        )
    return f"{type(error).__name__}: {said}"


def is_out_of_memory(error: BaseException) -> bool:
    """Python's, CUDA's, and what PyTorch raises on CPU and MPS, which has only a wording of its own."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    words = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def _new_status(cfg: DictConfig, experiment: Experiment, choices: Mapping[str, Any]) -> Status:
    return Status(
        identity=identity(cfg),
        state="running",
        step=0,
        steps=cfg.steps,
        seeds=list(experiment.engine.seeds),
        shape=list(experiment.data.shape),
        choices={k: v for k, v in choices.items() if v is not None and not k.startswith("hydra/")},
        device=describe_device(experiment.engine.setup.device),
        engine=experiment.engine.description,
        gains=experiment.gains,
        versions=versions(),
    )


def hyperparameters(cfg: DictConfig, status: Status) -> dict[str, str | float]:
    """What the HPARAMS tab compares: the chosen names, and the numbers people vary."""
    table: dict[str, str | float] = {
        group: status.choices.get(group, "")
        for group in ("activation", "dataset", "model", "optimizer", "objective", "regularizer")
    }
    for player in PLAYERS:
        own = f"activation@{player}_activation"
        table[f"{player}_activation"] = status.choices.get(own) or table["activation"]
        rate = cfg[config_key_for(cfg, "optimizer", player)].get("lr")
        table[f"{player}_lr"] = float(rate) if rate is not None else ""
        table[f"{player}_gain"] = status.gains.get(player, "")
    table["initialization"] = status.choices.get("initialization", "")
    table["batch_size"] = cfg.batch_size
    return table
