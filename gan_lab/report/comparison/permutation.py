"""Is a candidate different from another? A permutation test on ranks, and Holm's correction over several."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gan_lab.report.comparison.bootstrap import pairwise_wins
from gan_lab.report.comparison.scores import Floats


def permutation_test(
    x: Sequence[Floats], y: Sequence[Floats], *, rng: np.random.Generator, resamples: int = 9_999
) -> float:
    """Two-sided p-value of "x and y come from one distribution"; x and y hold one array a setting.

    The statistic is Brunner & Munzel's (2000): T = sum(p - 1/2) / sqrt(sum(v)), summed over settings, with p
    the share of pairs that x wins (ties half) and v its estimated variance, so that unequal spreads do not
    pass for a difference; its distribution comes from exchanging scores between x and y within each setting
    (Neubert & Brunner 2007). As it rests on ranks, ties and -inf are in order. Exact where there are at most
    ``resamples`` arrangements, else from that many random ones, the observed one counted among them
    (Phipson & Smyth 2010): p is never 0. Two constant, equal samples have p = 1.
    """
    pairs = list(zip(x, y, strict=True))
    arrangements = math.prod(math.comb(len(own) + len(other), len(own)) for own, other in pairs)
    exact = arrangements <= resamples
    effect, variance = np.zeros(1), np.zeros(1)
    for own, other in pairs:
        size, taken = len(own) + len(other), len(own)
        members = _all_groups(size, taken) if exact else _random_groups(size, taken, resamples, rng)
        effects, variances = _placements(own, other, members)
        if exact:
            effect, variance = (
                np.add.outer(old, new).ravel() for old, new in ((effect, effects), (variance, variances))
            )
        else:
            effect, variance = effect + effects, variance + variances
    statistic = np.abs(_studentized(effect, variance))
    # The first is the observed one. Equal statistics may differ by rounding where settings are summed.
    return float(np.mean(statistic >= statistic[0] * (1 - 1e-9)))


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: max over j <= i of (m - j + 1) p_(j), at most 1 (Holm 1979).

    Those at most alpha are all true with probability 1 - alpha, whatever the dependence.
    """
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * np.asarray(p, dtype=float)[order]), 1.0)
    return [float(value) for value in adjusted]


def _all_groups(size: int, taken: int) -> NDArray[np.bool_]:
    """(C(size, taken), size): every choice of ``taken`` members, the first ``taken`` first."""
    chosen = np.array(list(combinations(range(size), taken)))
    members = np.zeros((len(chosen), size), dtype=bool)
    np.put_along_axis(members, chosen, True, axis=1)
    return members


def _random_groups(size: int, taken: int, count: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(1 + count, size): the first ``taken`` members, and then random choices of as many."""
    members = np.tile(np.arange(size) < taken, (1 + count, 1))
    members[1:] = rng.permuted(members[1:], axis=1)
    return members


def _placements(x: Floats, y: Floats, members: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """p - 1/2 and its variance, for each row of ``members``: who of x and y together is called x.

    An x wins against a share of all y, its placement, and so does a y; p is the mean of the placements, and
    its variance var(placements of x) / n + var(placements of y) / m. Sums of halves are exact, so what has no
    variance has exactly none.
    """
    pooled = np.concatenate([x, y])
    n, m = len(x), len(y)
    won = pairwise_wins(pooled, pooled)
    own = members.astype(np.float64)
    against_own = own @ won.T  # (B, n + m): wins of each member against those called x, itself counted half
    against_other = won.sum(axis=1) - against_own
    effect = (own * against_other).sum(axis=1) / (n * m) - 0.5
    variance = _variance(against_other, own, n) / (n * m**2) + _variance(against_own, 1 - own, m) / (m * n**2)
    return effect, variance


def _variance(counts: Floats, members: Floats, size: int) -> Floats:
    """(B,): variance with divisor size - 1 of a row's counts over its members; 0 of a single one."""
    first = (members * counts).sum(axis=1)
    second = (members * counts**2).sum(axis=1)
    return np.asarray((size * second - first**2) / (size * max(size - 1, 1)))


def _studentized(effect: Floats, variance: Floats) -> Floats:
    """No variance: all scores are tied (0), or x and y do not overlap (infinite, in its direction)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(effect == 0, 0.0, effect / np.sqrt(variance))
