"""Measure generators that are already trained: of one run, or of every run of a study."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.build import build
from gan_lab.datasets.base import Dataset
from gan_lab.evaluation.evaluator import Evaluator, build_evaluator, evaluation_digest
from gan_lab.runs.load import TrainedRun, open_run
from gan_lab.runs.naming import hash_keys
from gan_lab.runs.results import write_results
from gan_lab.runs.run import Seed
from gan_lab.runs.study import read_study
from gan_lab.utils.checks import check_choice
from gan_lab.utils.devices import computing_on
from gan_lab.utils.errors import DataError, GanLabError
from gan_lab.utils.paths import config_dir
from gan_lab.utils.progress import progress_bar


@dataclass(frozen=True)
class EvalOverrides:
    """What is measured otherwise than a run's configuration says; None leaves it as it is."""

    features: str | None = None
    metrics: Sequence[str] | None = None
    samples: int | None = None

    def apply(self, cfg: DictConfig) -> DictConfig:
        """Return a copy of a configuration with the overrides in it."""
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
    """One seed: its folder, what its ``results.json`` says, and whether that was up to date already."""

    folder: Path
    results: dict[str, Any]
    skipped: bool


class _EvaluatorCache:
    """Evaluators and their data, built on first use and shared by runs that are measured in the same way."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._data: dict[str, Dataset] = {}
        self._evaluators: dict[tuple[str, int], Evaluator] = {}

    def data(self, cfg: DictConfig) -> Dataset:
        key = hash_keys(cfg, ["dataset"])
        if key not in self._data:
            self._data[key] = build(cfg, "dataset").to(self.device)
        return self._data[key]

    def evaluator(self, cfg: DictConfig) -> Evaluator:
        key = evaluation_digest(cfg), int(cfg.model.latent_size)
        if key not in self._evaluators:
            self._evaluators[key] = build_evaluator(cfg, self.data(cfg))
        return self._evaluators[key]


def evaluate_study(
    folder: Path,
    overrides: EvalOverrides,
    device: torch.device,
    *,
    force: bool = False,
    trust: Sequence[str] = (),
) -> tuple[list[EvalResult], list[str]]:
    """Evaluate every seed of a run, or of all runs in a study, and write its ``results.json``.

    Results that were made in the same way from the same weights are skipped unless ``force``; runs that
    rerun=true has archived are left alone. A run whose training data have changed is not measured: its scores
    would be those of old generators against new data. Modules in ``trust`` may be built from a
    ``config.yaml``, as in `load`. Also returns what could not be evaluated, a sentence each.
    """
    study = read_study(folder)
    cache = _EvaluatorCache(device)
    results: list[EvalResult] = []
    errors = list(study.damaged.values())
    total = sum(len(run.seeds) for run in study.runs)
    with computing_on(device), progress_bar("evaluating", total=total, unit="seed") as bar:
        for run in study.runs:
            try:
                trained = open_run(run, trust)
                cfg = overrides.apply(trained.cfg)
                _check_data(trained, cache)
            except GanLabError as error:
                errors.append(str(error))
                bar.update(len(run.seeds))
                continue
            for seed in run.seeds:
                try:
                    results.append(_evaluate_seed(trained, cfg, seed, cache, force=force))
                except GanLabError as error:
                    errors.append(f"{seed.folder}: {error}")
                bar.update()
    return results, errors


def _check_data(trained: TrainedRun, cache: _EvaluatorCache) -> None:
    """Raise `DataError` if the data that a run was trained on have changed; unchanged files are not read."""
    change = trained.data_change(lambda: cache.data(trained.cfg))
    if change is not None:
        raise DataError(f"{change}: bring the old data back to measure it")


def _evaluate_seed(
    trained: TrainedRun, cfg: DictConfig, seed: Seed, cache: _EvaluatorCache, *, force: bool
) -> EvalResult:
    digest = evaluation_digest(cfg)
    step = trained.status.step if seed.diverged is None else seed.diverged
    previous = None
    with suppress(GanLabError):  # what is corrupt is measured again
        previous = seed.results
    made = (digest, step, trained.status.data_fingerprint)
    keys = ("evaluation_digest", "step", "data_fingerprint")
    if previous and not force and tuple(previous.get(key) for key in keys) == made:
        return EvalResult(seed.folder, previous, skipped=True)
    evaluator = cache.evaluator(cfg)
    scores = None
    if seed.diverged is None:
        generator = trained.generator(seed.number, evaluator.data.device)
        with torch.no_grad():
            scores = evaluator(generator, seed.number)
    # Scores over training belong to these only if they were made in the same way.
    history = seed.stats() if digest == evaluation_digest(trained.cfg) else []
    summary = evaluator.summarize(scores, history)
    results = write_results(seed.folder, seed=seed.number, step=step, evaluation_digest=digest, **summary)
    return EvalResult(seed.folder, results, skipped=False)


def _entry(group: str, name: str) -> DictConfig:
    known = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
    check_choice(group, name, known)
    entry = OmegaConf.load(config_dir() / group / f"{name}.yaml")
    assert isinstance(entry, DictConfig)
    return entry
