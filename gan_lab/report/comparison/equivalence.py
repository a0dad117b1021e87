"""Equivalence: who lies within a margin, declared beforehand, of the best."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

from gan_lab.report.comparison.claims import FEWEST_SEEDS
from gan_lab.report.comparison.scores import Floats, iqm
from gan_lab.utils.errors import ConfigurationError

_CONSTANT = 0.75  # Where a quarter of seeds differ, the interquartile mean need not show it.


class Margin(NamedTuple):
    """The smallest difference that matters: a number of the metric, or a share of the other's IQM."""

    value: float
    share: bool = False


@dataclass(frozen=True)
class EquivalenceTest:
    """Who is equivalent to the best within a margin.

    equivalent: candidates whose IQM is higher than everybody's minus the margin, with adjusted p <= alpha;
    the best itself is among them if the test shows it. p_values: adjusted for the number of candidates, of
    tested ones.
    """

    margin: Margin
    equivalent: list[str]
    p_values: dict[str, float]
    method: str = "one-sided Yuen-Welch tests of IQMs against everybody's, intersection-union, Holm"


def equivalence_test(
    scores: Mapping[str, Floats], margin: Margin, *, direction: str = "max", alpha: float = 0.05
) -> EquivalenceTest:
    """Test which candidates' IQM lies less than a margin under that of the best; scores are (S,) each.

    For each candidate, the null hypothesis that somebody's IQM is higher by the margin or more: its p-value
    is the largest over all others, of Yuen's (1974) t-test of trimmed means whose difference is shifted by
    the margin. So the best need not be known. Holm's correction over candidates, of which at least one is
    equivalent in truth. A share is that of a cost where ``direction`` is "min": within 5 % means at most
    1.05 times the other's IQM; where it is "max", at least .95 times.

    A sample of n equal scores has no variance; its p-value is at least .75^n, the probability to see that
    if a quarter of all seeds were different. Raises `ConfigurationError` for a margin that is not positive,
    or a share of 1 and more.
    """
    if not margin.value > 0 or (margin.share and margin.value >= 1):
        raise ConfigurationError(f"the margin must be positive, and a share below 1, got {margin.value:g}")
    tested = {name: s for name, s in scores.items() if len(s) >= FEWEST_SEEDS}
    if len(tested) < 2:
        return EquivalenceTest(margin, [], {})
    names = list(tested)
    p = _largest_p(list(tested.values()), margin, direction)
    adjusted = _holm_with_one_true(p)
    p_by_name = dict(zip(names, adjusted, strict=True))
    return EquivalenceTest(margin, [name for name in names if p_by_name[name] <= alpha], p_by_name)


def _largest_p(samples: list[Floats], margin: Margin, direction: str) -> Floats:
    """Compute the largest p-value of "another is higher by the margin or more" for each of K samples."""
    iqms = np.array([iqm(s) for s in samples])
    variance, freedom = np.array([_squared_error(s) for s in samples]).T
    factor = 1.0
    if margin.share:
        factor = 1 + margin.value if direction == "min" else 1 - margin.value
    shift = 0.0 if margin.share else margin.value
    v, w = variance[:, None], factor**2 * variance[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        difference = iqms[:, None] - factor * iqms[None, :] + shift
        df = (v + w) ** 2 / (v**2 / freedom[:, None] + w**2 / freedom[None, :])
        t = np.where(v + w > 0, difference / np.sqrt(v + w), np.copysign(np.inf, difference))
        p = stats.t.sf(t, np.where(np.isfinite(df), df, 1.0))
    p[~np.isfinite(difference)] = (
        1.0  # An IQM that is -inf is within no margin, and nobody is within one of it.
    )
    p[difference == np.inf] = 0.0
    constant = (variance == 0) & np.isfinite(iqms)
    least = np.where(constant, _CONSTANT ** np.array([len(s) for s in samples], dtype=np.float64), 0.0)
    p = np.maximum(p, np.maximum(least[:, None], least[None, :]))
    np.fill_diagonal(p, 0.0)
    return np.asarray(p.max(axis=1))


def _squared_error(scores: Floats) -> tuple[float, float]:
    """Compute the squared standard error of an IQM of scores (S,), and its degrees of freedom."""
    n, cut = len(scores), len(scores) // 4
    kept = n - 2 * cut
    ordered = np.sort(scores)
    winsorized = np.clip(ordered, ordered[cut], ordered[n - cut - 1])
    if not np.isfinite(winsorized).all():
        return 0.0, kept - 1
    return float((n - 1) * winsorized.var(ddof=1) / (kept * (kept - 1))), kept - 1


def _holm_with_one_true(p: Floats) -> list[float]:
    """Adjust K p-values by Holm's method for at most K - 1 true null hypotheses, in the order given."""
    order = np.argsort(p, kind="stable")
    factors = np.minimum(np.arange(len(p), 0, -1), max(len(p) - 1, 1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p[order]), 1.0)
    return [float(value) for value in adjusted]
