"""Scores of generators that are already trained: of one run, or of every run of a study."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor
from tqdm import tqdm

from gan_lab.config.build import build
from gan_lab.evaluation.evaluator import Evaluator, build_evaluator, evaluation_digest
from gan_lab.runs.load import TrainedRun, open_run
from gan_lab.runs.results import write_results
from gan_lab.runs.run import Seed
from gan_lab.runs.study import read_study
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import config_dir


@dataclass(frozen=True)
class EvalOverrides:
    """What is measured otherwise than a run's own configuration says; None leaves it as it is."""

    features: str | None = None
    metrics: Sequence[str] | None = None
    samples: int | None = None

    def apply(self, cfg: DictConfig) -> DictConfig:
        changed = cfg.copy()
        if self.features is not None:
            changed.features = _entry("features", self.features)
        if self.metrics is not None:
            merged = OmegaConf.merge(*(_entry("metric", name) for name in self.metrics))
            changed.metric = merged
        if self.samples is not None:
            changed.metrics.samples = self.samples
        return changed


@dataclass(frozen=True)
class EvalResult:
    """One seed: its folder, what its ``results.json`` says, and whether that was there already."""

    folder: Path
    results: dict[str, Any]
    skipped: bool


def evaluate(
    folder: Path,
    changes: EvalOverrides,
    device: torch.device,
    *,
    force: bool = False,
    trust: Sequence[str] = (),
) -> tuple[list[EvalResult], list[str]]:
    """Evaluate every seed of a run, or of all runs in a study, and write its ``results.json``.

    What is there already, made in the same way from the same weights, is skipped unless ``force``; runs that
    rerun=true has archived are left alone. Modules in ``trust`` may be built from a ``config.yaml``, as in
    `load`. Also returns what could not be evaluated, a sentence each.
    """
    study = read_study(folder)
    judges: dict[tuple[str, int], Evaluator] = {}
    done: list[EvalResult] = []
    failed = list(study.damaged.values())
    runs: list[TrainedRun] = []
    for run in study.runs:
        try:
            runs.append(open_run(run, trust))
        except GanLabError as error:
            failed.append(str(error))
    with tqdm(
        total=sum(len(run.seeds) for run in runs), unit="seed", disable=None, dynamic_ncols=True
    ) as bar:
        for trained in runs:
            cfg = changes.apply(trained.cfg)
            for seed in trained.run.seeds:
                try:
                    done.append(_seed(trained, cfg, seed, _judge(judges, cfg, device), force=force))
                except GanLabError as error:
                    failed.append(f"{seed.folder}: {error}")
                bar.update()
    return done, failed


def _seed(
    run: TrainedRun, cfg: DictConfig, seed: Seed, judge: Callable[[], Evaluator], *, force: bool
) -> EvalResult:
    folder = seed.folder
    step = run.status.step if seed.diverged is None else seed.diverged
    there = None
    with suppress(GanLabError):  # what is damaged is measured anew
        there = seed.results
    if there and not force and (there["evaluation_digest"], there["step"]) == (evaluation_digest(cfg), step):
        return EvalResult(folder, there, skipped=True)
    scores = None
    if seed.diverged is None:
        network = run.generator(seed.number, judge().data.device)

        @torch.no_grad()
        def generate(latent: Tensor) -> Tensor:
            out: Tensor = network(latent[0])
            return out[None]

        (scores,) = judge()(generate, [seed.number])
    # Numbers from the way belong to these only where they were made in the same way.
    history = seed.stats() if evaluation_digest(cfg) == evaluation_digest(run.cfg) else []
    results = write_results(
        folder,
        seed=seed.number,
        step=step,
        evaluation_digest=evaluation_digest(cfg),
        **judge().summarize(scores, history),
    )
    return EvalResult(folder, results, skipped=False)


def _judge(
    judges: dict[tuple[str, int], Evaluator], cfg: DictConfig, device: torch.device
) -> Callable[[], Evaluator]:
    """Made when it is needed, and shared by runs that are measured in the same way."""

    def judge() -> Evaluator:
        key = evaluation_digest(cfg), int(cfg.model.latent_size)
        if key not in judges:
            judges[key] = build_evaluator(cfg, build(cfg, "dataset").to(device))
        return judges[key]

    return judge


def _entry(group: str, name: str) -> DictConfig:
    known = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
    if name not in known:
        raise ConfigurationError(f"{group} must be one of {', '.join(known)}, got {name!r}")
    entry = OmegaConf.load(config_dir() / group / f"{name}.yaml")
    assert isinstance(entry, DictConfig)
    return entry
