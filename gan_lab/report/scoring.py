"""From files to arrays: oriented scores of candidates, and the two scores that give them a meaning.

Those of real data and of untrained generators: without them a score says neither how good it is nor whether
anything was learned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_lab.report import comparison
from gan_lab.report.comparison.scores import Floats
from gan_lab.report.declared import PrimaryMetric, metric_spec
from gan_lab.report.entries import DIVERGED, Entry

Groups = Mapping[str, Sequence[Entry]]


@dataclass(frozen=True)
class Anchors:
    """Scores in the metric's own units. real: of several draws of real data, one if only one was measured.

    untrained: candidate -> those of its seeds at step 0; candidates that were not measured then are absent.
    squared: whether the metric is a squared distance, whose way to zero is measured in logarithms.
    """

    real: list[float]
    untrained: dict[str, list[float | None]]
    squared: bool

    @property
    def real_mean(self) -> float | None:
        return float(np.mean(self.real)) if self.real else None

    @property
    def real_sd(self) -> float | None:
        return float(np.std(self.real, ddof=1)) if len(self.real) > 1 else None


def oriented(
    entries: Sequence[Entry], metric: str, direction: str, worst: float | None, kind: str = "last"
) -> Floats:
    """Return scores (S,), higher is better; -inf of seeds that diverged and of undefined ones."""
    return comparison.orient_scores([entry.score(metric, kind) for entry in entries], direction, worst)


def primary_scores(groups: Groups, metric: PrimaryMetric, kind: str = "last") -> dict[str, Floats]:
    """Return the oriented scores (S,) of every candidate."""
    return {
        name: oriented(entries, metric.name, metric.direction, metric.worst, kind)
        for name, entries in groups.items()
    }


def anchors(groups: Groups, metric: PrimaryMetric) -> Anchors:
    """Collect what real data and untrained generators score."""
    measured = [entry for entries in groups.values() for entry in entries if entry.results]
    spec = metric_spec(measured, metric.name) if measured else {}
    untrained = {name: untrained_scores(entries, metric.name) for name, entries in groups.items()}
    return Anchors(
        real_data_draws(spec),
        {name: values for name, values in untrained.items() if values},
        bool(spec.get("squared", False)),
    )


def untrained_scores(entries: Sequence[Entry], metric: str) -> list[float | None]:
    """Collect the scores of untrained generators, one per seed that was measured at step 0."""
    return [value for entry in entries for value in entry.series.untrained(metric)]


def learning_arrays(groups: Groups, metric: PrimaryMetric) -> tuple[dict[str, Floats], list[int]]:
    """Arrange oriented scores as (S, T) per candidate, at the T steps at which every seed was measured.

    A seed is -inf from the step at which it diverged.
    """
    every = [entry for entries in groups.values() for entry in entries]
    measured = [set(entry.series.after_start(metric.name)) for entry in every if entry.state != DIVERGED]
    steps = sorted(set.intersection(*measured)) if measured else []
    arrays = {
        name: np.array([[_at(entry, step, metric) for step in steps] for entry in entries])
        for name, entries in groups.items()
    }
    return arrays, steps


def _at(entry: Entry, step: int, metric: PrimaryMetric) -> float:
    diverged = entry.seed.diverged
    value = entry.series.scores[metric.name].get(step) if diverged is None or step < diverged else None
    return -np.inf if value is None else metric.sign * value


def real_data_draws(spec: Mapping[str, Any]) -> list[float]:
    """Return what draws of real data score, by ``results.json``; of older ones the only number."""
    values = spec.get("real_data_draws") or [spec.get("real_data")]
    return [float(one) for one in values if one is not None]


def scale(anchors: Anchors, metric: PrimaryMetric) -> comparison.Scale | None:
    """Return the setting's fixed scale, 0 for an untrained generator and 1 for real data.

    None if one of the two was not measured, or if real data do not score better.
    """
    pooled = [value for values in anchors.untrained.values() for value in values]
    finite = comparison.orient_scores(pooled, metric.direction, metric.worst)
    finite = finite[np.isfinite(finite)]
    if anchors.real_mean is None or not len(finite):
        return None
    untrained, real = comparison.iqm(finite), metric.sign * anchors.real_mean
    if not untrained < real:
        return None
    positive = metric.direction == "min" and real < 0
    return comparison.Scale(untrained, real, log=anchors.squared and positive)


def least_gain(anchors: Anchors, metric: PrimaryMetric, share: float) -> float:
    """Return a share of the way from untrained to real data, 0 if it is not known."""
    fixed = scale(anchors, metric)
    return share * (fixed.real - fixed.untrained) if fixed is not None else 0.0
