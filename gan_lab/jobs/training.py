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

from gan_lab import checkpoints, loop
from gan_lab.assembly import Experiment, assemble, own_key
from gan_lab.devices import be_deterministic, describe_device, select_device
from gan_lab.engines import PLAYERS, Member
from gan_lab.errors import ConfigurationError, Failed, GanLabError
from gan_lab.files import in_short, remove_leftovers, write_whole
from gan_lab.logs import own_log
from gan_lab.paths import relative
from gan_lab.recorder import Recorder
from gan_lab.runs import LOG, Status, held, identity, put_aside, resolved, standing, versions
from gan_lab.signals import Interrupted, stop_requests

_log = logging.getLogger(__name__)


def execute(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> None:
    """Train ``cfg`` in ``folder``, which nobody else may do meanwhile.

    Raises `Failed` for whatever goes wrong on the way that is not the configuration's fault; its traceback
    stands in the run's log.
    """
    with held(folder), own_log(folder / LOG):
        remove_leftovers(folder)
        try:
            _begin_or_go_on(cfg, folder, choices)
        except GanLabError as error:
            _log.info("refused: %s", error)
            raise
        except Exception as error:
            _log.info("failed", exc_info=True)
            raise Failed(f"{_in_words(error, cfg, folder)} (full log: {relative(folder / LOG)})") from error


def _begin_or_go_on(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> None:
    device = select_device(cfg.device)
    be_deterministic(cfg.deterministic)
    status = Status.load(folder) if cfg.rerun else standing(cfg, folder)
    if status is not None:  # whoever comes second is told who is here, also while it is being set up
        here = Status.of_this_process()
        replace(status, **here).save(folder)
    experiment = assemble(cfg, device)
    if status is not None and cfg.rerun:
        _log.info("put aside what was there: %s", put_aside(folder, status))
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
        experiment.go_on_with([Member(**m) for m in saved["members"]])
    _log.info("%s, %s, from step %d to %d", status.device, status.engine, status.step, cfg.steps)
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(resolved(cfg))))
    frozen = [Member(**m) for m in saved["frozen"]] if saved else []
    good = [Member(**m) for m in saved.get("good", [])] if saved else []
    _train(cfg, folder, status, experiment, frozen, good)


def _train(
    cfg: DictConfig,
    folder: Path,
    status: Status,
    experiment: Experiment,
    frozen: Sequence[Member],
    good: Sequence[Member],
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
            stopped = Interrupted(request.number)
            recorder.end("interrupted", str(stopped))
            raise stopped
        recorder.end("diverged" if len(status.diverged) == len(status.seeds) else "finished")


def _in_words(error: BaseException, cfg: DictConfig, folder: Path) -> str:
    """What went wrong, in one sentence, with what to do where that is known."""
    said = in_short(str(error)) or "no reason given"
    if is_out_of_memory(error):
        return (
            f"out of memory with seeds={cfg.seeds} and batch_size={cfg.batch_size}: "
            f"lower one of them, or the width of the networks ({said})"
        )
    if isinstance(error, OSError) and error.errno is not None:
        file = Path(os.fsdecode(error.filename)) if error.filename is not None else folder
        where = in_short(str(relative(file)))
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
        rate = cfg[own_key(cfg, "optimizer", player)].get("lr")
        table[f"{player}_lr"] = float(rate) if rate is not None else ""
        table[f"{player}_gain"] = status.gains.get(player, "")
    table["initialisation"] = status.choices.get("initialisation", "")
    table["batch_size"] = cfg.batch_size
    return table
