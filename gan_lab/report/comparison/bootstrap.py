"""Percentile bootstrap intervals, stratified over settings, that survive constant and failed scores.

``scipy.stats.bootstrap`` gives the same numbers where all scores are finite; but it interpolates between
resamples, which is NaN between a number and -inf, and does not hand over which scores each resample took.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from gan_lab.report.comparison.scores import Floats, interquartile_means


class Interval(NamedTuple):
    low: float
    high: float


@dataclass(frozen=True)
class Resamples:
    """B resamples of one candidate's seeds.

    scores: one (S,) array per setting; indices: for each setting, which of its scores were drawn, (B, S).
    """

    scores: Sequence[Floats]
    indices: Sequence[NDArray[np.int64]]

    @classmethod
    def draw(cls, scores: Sequence[Floats], resamples: int, rng: np.random.Generator) -> "Resamples":
        """With replacement, within each setting and as many as there are: settings are strata."""
        return cls(scores, [rng.integers(len(s), size=(resamples, len(s))) for s in scores])

    def pooled(self) -> Floats:
        """(B, all seeds of all settings)"""
        pairs = zip(self.scores, self.indices, strict=True)
        return np.concatenate([scores[indices] for scores, indices in pairs], axis=1)

    @cached_property
    def iqms(self) -> Floats:
        """(B,)"""
        return interquartile_means(self.pooled())

    def counts(self, setting: int) -> Floats:
        """(B, S): how often each score was drawn."""
        indices = self.indices[setting]
        resamples, seeds = indices.shape
        flat = (indices + seeds * np.arange(resamples)[:, None]).ravel()
        counts = np.bincount(flat, minlength=resamples * seeds).reshape(resamples, seeds)
        return counts.astype(np.float64)


def percentile_interval(replicates: Floats, level: float) -> Interval:
    """The k-th smallest and largest of B replicates, k = (B + 1)(1 - level) / 2 (Efron & Tibshirani 1993).

    With B = 9,999 and 95 % that is the 250th from either end. Constant replicates c give [c, c].
    """
    count = len(replicates)
    k = max(int((count + 1) * (1 - level) / 2 + 1e-9), 1)
    ordered = np.partition(replicates, (k - 1, count - k))
    return Interval(float(ordered[k - 1]), float(ordered[count - k]))


def bootstrap_interval(
    strata: Sequence[Floats],
    statistic: Callable[[Floats], Floats],
    *,
    rng: np.random.Generator,
    resamples: int = 9_999,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of ``statistic``, (B, all seeds) -> (B,), with each stratum resampled by itself.

    Simulated coverage of nominal 95 % for the IQM of one stratum: .94 with 10 normal scores, .90 with 5, .76
    with 3, where it cannot be trusted.
    """
    return percentile_interval(statistic(Resamples.draw(strata, resamples, rng).pooled()), level)


def probability_better(x: Sequence[Floats], y: Sequence[Floats]) -> float:
    """Probability that a seed of x beats one of y: P(X > Y) + P(X = Y) / 2, averaged over settings.

    The Mann-Whitney U over the number of pairs; "probability of improvement" in Agarwal et al. (2021).
    """
    return float(np.mean([pairwise_wins(own, other).mean() for own, other in zip(x, y, strict=True)]))


def resampled_probability_better(x: Resamples, y: Resamples) -> Floats:
    """(B,): `probability_better` in each resample."""
    found = []
    for k, (own, other) in enumerate(zip(x.scores, y.scores, strict=True)):
        beaten = x.counts(k) @ pairwise_wins(own, other)
        found.append((beaten * y.counts(k)).sum(axis=1) / (len(own) * len(other)))
    return np.asarray(np.mean(found, axis=0))


def pairwise_wins(x: Floats, y: Floats) -> Floats:
    """(n, m): 1 where x beats y, 1/2 where they are equal; two failed seeds are equal."""
    return np.asarray((x[:, None] > y) + 0.5 * (x[:, None] == y))


def safe_difference(x: Floats, y: Floats) -> Floats:
    """x - y, 0 where both have failed."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(x == y, 0.0, x - y))


def ranks(iqms: Floats, method: str) -> Floats:
    """(A, B) -> (A, B): ranks from 1, the highest, in each resample; ``method`` as in scipy's rankdata.

    What differs by no more than rounding is equal.
    """
    finite = np.abs(iqms[np.isfinite(iqms)])
    unit = 1e-12 * (finite.max() if finite.size else 1.0) or 1.0
    return np.asarray(stats.rankdata(-np.round(iqms / unit), method=method, axis=0), dtype=np.float64)
