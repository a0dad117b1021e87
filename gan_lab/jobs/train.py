"""The training job: compose, build, train, and say where the result is."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lab import checkpoints, loop
from gan_lab.assembly import Experiment, assemble, own_key
from gan_lab.configuration import check
from gan_lab.devices import describe_device, select_device
from gan_lab.engines import PLAYERS, Member
from gan_lab.errors import ConfigurationError, GanLabError, Refused
from gan_lab.evaluation import read_results
from gan_lab.files import write_whole
from gan_lab.jobs.sampling import Run, load
from gan_lab.messages import explain, is_about_the_configuration
from gan_lab.paths import config_dir
from gan_lab.recorder import Recorder, now
from gan_lab.runs import (
    Status,
    folder_name,
    held,
    identity,
    resolved,
    seed_folder,
    study_folder,
    versions,
    without_hydra,
)
from gan_lab.signals import Interrupted, stop_requests
from gan_lab.trust import modules_of


def _study_dir(*, _root_: DictConfig) -> str:
    return str(study_folder(_root_))


def _run_name(*, _root_: DictConfig) -> str:
    study = Path(_root_.hydra.sweep.dir)
    return folder_name(_root_, study, _root_.hydra.overrides.task)


def _run_dir(*, _root_: DictConfig) -> str:
    study = study_folder(_root_)
    return str(study / folder_name(_root_, study, _root_.hydra.overrides.task))


# At import, because the worker processes of parallel launchers import this module and nothing else.
for _name, _resolver in (
    ("gan_lab_study_dir", _study_dir),
    ("gan_lab_run_name", _run_name),
    ("gan_lab_run_dir", _run_dir),
):
    OmegaConf.register_new_resolver(_name, _resolver, replace=True)


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")
def main(cfg: DictConfig) -> None:
    """Hydra's entrypoint: one run, or one member of a sweep."""
    own = HydraConfig.get()
    folder = Path(own.runtime.output_dir)
    try:
        run = execute(cfg, folder, own.runtime.choices)
    except GanLabError as error:
        _discard_unless_run(folder)
        if own.mode == RunMode.RUN:
            raise Refused(str(error)) from error
        raise
    print(summary(run))


def train(overrides: Sequence[str] = ()) -> Run:
    """Train as ``gan-lab train <overrides>`` does, here and now, and return the run.

    Raises `GanLabError` for what the command line would refuse.
    """
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            cfg = compose("train", overrides=list(overrides), return_hydra_config=True)
        folder, choices = Path(cfg.hydra.run.dir), cfg.hydra.runtime.choices
    except Exception as error:
        if is_about_the_configuration(error):
            raise ConfigurationError(explain(str(error))) from error
        raise
    return execute(without_hydra(cfg), folder, choices)


def execute(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> Run:
    """Train ``cfg`` in ``folder``, going on from what stands there already."""
    check(cfg)
    status = None if cfg.rerun else _standing(cfg, folder)
    if status and (status.state == "diverged" or (status.state == "finished" and status.step >= cfg.steps)):
        return load(folder, modules_of(cfg))
    device = select_device(cfg.device)
    experiment = assemble(cfg, device)
    with held(folder):
        status = _standing(cfg, folder)
        saved = checkpoints.load_latest(folder / "checkpoint", device) if status else None
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
        write_whole(folder / "config.yaml", OmegaConf.to_yaml(OmegaConf.create(resolved(cfg))))
        frozen = [Member(**m) for m in saved["frozen"]] if saved else []
        _train(cfg, folder, status, experiment, frozen)
    return load(folder, modules_of(cfg))


def _train(
    cfg: DictConfig, folder: Path, status: Status, experiment: Experiment, frozen: Sequence[Member]
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
            if experiment.batches.seeds:
                done = loop.train(experiment.engine, experiment.batches, schedule, recorder, status.step)
        except KeyboardInterrupt:
            recorder.end("interrupted", "stopped at once, after its last checkpoint")
            raise
        except BaseException as error:
            recorder.end("failed", f"{type(error).__name__}: {error}")
            raise
        if done < cfg.steps and request.number is not None:
            recorder.end("interrupted", f"signal {request.number}")
            raise Interrupted(request.number)
        recorder.end("diverged" if len(status.diverged) == len(status.seeds) else "finished")


def _standing(cfg: DictConfig, folder: Path) -> Status | None:
    """What became of this run before, if anything; ``rerun=true`` puts it aside."""
    status = Status.load(folder)
    if status is None:
        return None
    if cfg.rerun:
        aside = folder.with_name(f"{folder.name}.before-{now().replace(':', '')}")
        aside.mkdir()
        for name in ("status.json", "config.yaml", "checkpoint", *map(_seed_name, status.seeds)):
            if (folder / name).exists():
                (folder / name).rename(aside / name)
        return None
    if status.identity != identity(cfg):
        raise ConfigurationError(
            f"{folder} holds a run of another configuration: take another hydra.run.dir, "
            "or rerun=true to put that one aside"
        )
    return status


def _seed_name(seed: int) -> str:
    return seed_folder(Path(), seed).name


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
        engine=type(experiment.engine).__name__,
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


def summary(run: Run) -> str:
    """What is said at the end of a run: what became of it, and how to look at it."""
    status, seed = run.status, run.seeds[0]
    pictures = sorted((seed_folder(run.folder, seed) / "samples").glob("*.png"))
    lines = [
        f"{status.state}: {status.step} steps, {len(run.seeds)} seed{'s'[: len(run.seeds) - 1]}, "
        f"{status.seconds:.0f} s on {status.device}",
        f"  run      {_relative(run.folder)}",
    ]
    if status.diverged:
        who = ", ".join(f"{s} (step {n})" for s, n in sorted(status.diverged.items()))
        lines.append(f"  diverged seeds {who}")
    lines += _scores(run)
    if pictures:
        lines.append(f"  samples  {_relative(pictures[-1])}")
    lines.append(f"  look     tensorboard --logdir '{_relative(run.folder.parent)}'")
    return "\n".join(lines)


def _scores(run: Run) -> list[str]:
    """The score that decides, of every seed, and what measuring has cost."""
    found = [read_results(seed_folder(run.folder, seed)) for seed in run.seeds]
    results = [one for one in found if one is not None]
    if not results:
        return []
    primary = results[0]["primary"]
    last = [one["metrics"][primary]["last"] for one in results]
    floor = results[0]["metrics"][primary]["floor"]
    said = ", ".join(map(_number, last[:8])) + (", ..." if len(last) > 8 else "")
    share = run.status.metric_seconds / max(run.status.seconds, 1e-9)
    return [f"  {primary:8} {said} (real data {_number(floor)}; measuring took {share:.0%} of the time)"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _relative(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path


def _discard_unless_run(folder: Path) -> None:
    """Remove what Hydra has made for a run that was refused, and folders that are empty without it."""
    if (folder / "status.json").exists():
        return
    shutil.rmtree(folder / ".hydra", ignore_errors=True)
    for log in folder.glob("*.log"):
        log.unlink()
    for empty in (folder, *folder.parents[:2]):
        if not empty.is_dir() or any(empty.iterdir()):
            return
        empty.rmdir()
