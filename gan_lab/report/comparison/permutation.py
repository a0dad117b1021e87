"""Permutation tests: of one pair, of all pairs jointly (max-T), and corrections for several tests.

Without ties the null distribution of a statistic of ranks depends on the sizes of the samples alone: it is
computed once and kept. With ties, or seeds that diverged together, the scores themselves are shuffled.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from gan_lab.report.comparison.brunner_munzel import Indices, Pool, pool, statistics
from gan_lab.report.comparison.scores import Floats

MOST_PERMUTATIONS = 9_999
_FEWEST_PERMUTATIONS = 199
_MOST_ARRANGEMENTS = 13_000  # Up to so many are all enumerated: 8 and 8 seeds.
_WORK = 50_000_000  # Shuffled scores times samples, about a second.
_BATCH = 500_000
_ROUNDING = 1 - 1e-9  # Equal statistics may differ by rounding.


def permutation_test(x: Floats, y: Floats, *, seed: int = 0) -> float:
    """Compute the two-sided p-value of "x (n,) and y (m,) come from one distribution".

    The statistic is Brunner and Munzel's, its distribution that of exchanging scores between x and y
    (Neubert & Brunner 2007), so that the test is exact for equal distributions and nearly so for equal
    medians. All arrangements are enumerated up to 8 and 8 scores, else 9,999 are random and the observed
    one counts among them (Phipson & Smyth 2010): p is never 0. Two constant, equal samples have p = 1.
    ``seed`` decides the random numbers that ties ask for.
    """
    pooled = pool([x, y])
    statistic = abs(float(statistics(pooled, pooled.order[None])[0, 0, 1]))
    if pooled.tied:
        null = _tied_pair_null(len(x), len(y), tuple(pooled.first.tolist()), seed)
    else:
        null = _untied_pair_null(len(x), len(y))
    return _share_at_least(null, statistic)


def separated_p(n: int, m: int) -> float:
    """Compute the smallest p-value of n against m scores, that of samples that do not overlap."""
    return 2 / math.comb(n + m, n)


def holm(p: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, in the order given (Holm 1979).

    The i-th smallest becomes the maximum over j <= i of (m - j + 1) p_(j), at most 1. Those at most alpha are
    all true with probability 1 - alpha, whatever the dependence.
    """
    order = np.argsort(p, kind="stable")
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * np.asarray(p, dtype=float)[order]), 1.0)
    return [float(value) for value in adjusted]


def maxima(samples: Sequence[Floats], rng: np.random.Generator) -> Floats:
    """Sort max |T| over all pairs of K samples in B joint shuffles of their scores, (B,).

    B is 9,999, or fewer where these would take long.
    """
    pooled = pool(samples)
    sizes = {int(size) for size in pooled.sizes}
    if not pooled.tied and len(sizes) == 1:
        return untied_maxima(len(samples), sizes.pop())[:, -1]
    return np.sort(_running_maxima(pooled, rng)[:, -1])


@lru_cache(maxsize=64)
def untied_maxima(samples: int, seeds: int) -> Floats:
    """Sort max |T| over the first 1 to K of K samples with as many seeds each, without ties, (B, K).

    Column k - 1 is that of k samples. Random with a fixed generator.
    """
    pooled = pool([np.arange(seeds) + seeds * np.float64(i) for i in range(samples)])
    rows = np.sort(_running_maxima(pooled, np.random.default_rng([samples, seeds])), axis=0)
    rows.flags.writeable = False
    return rows


def p_values(null: Floats, observed: Floats) -> Floats:
    """Compute p = (1 + number of B sorted null values >= t) / (B + 1) of each observed t."""
    above = len(null) - np.searchsorted(null, observed * _ROUNDING, "left")
    return np.asarray((1 + above) / (len(null) + 1))


def critical_value(null: Floats, alpha: float) -> float:
    """Return the value that t must exceed for p <= alpha, by B sorted null values; infinity if none can."""
    above = math.floor(alpha * (len(null) + 1) + 1e-9) - 1
    return float(null[len(null) - 1 - above]) if above >= 0 else math.inf


def untied_critical_value(n: int, m: int, alpha: float) -> float:
    """Return the |T| that n and m scores without ties must exceed for p <= alpha in `permutation_test`."""
    null = _untied_pair_null(n, m)
    return float(null[len(null) - 1 - math.floor(alpha * len(null) + 1e-9)])


def smallest_joint_p(seeds: Iterable[int]) -> float:
    """Bound the smallest p-value of the joint test of samples with these numbers of seeds.

    The probability that some pair does not overlap if all are equal: the sum over pairs of 2 / C(n + m, n).
    """
    counts = sorted(Counter(seeds).items())
    same = (math.comb(c, 2) * separated_p(n, n) for n, c in counts)
    mixed = (c * d * separated_p(n, m) for (n, c), (m, d) in combinations(counts, 2))
    return sum(same) + sum(mixed)


def smallest_seeds(samples: int, alpha: float = 0.05) -> int:
    """Return the seeds each at which the joint test of so many samples can reject at all.

    The smallest n with K (K - 1) / C(2n, n) <= alpha: 4 for two, 5 for three, 6 for seven, 8 for 17.
    """
    seeds = 1
    while samples * (samples - 1) * separated_p(seeds, seeds) / 2 > alpha:
        seeds += 1
    return seeds


def permutations(work: int) -> int:
    """Choose a number of shuffles, 199 to 9,999, each of which costs ``work``."""
    return min(max(_WORK // work, _FEWEST_PERMUTATIONS), MOST_PERMUTATIONS)


def _running_maxima(pooled: Pool, rng: np.random.Generator) -> Floats:
    """Compute max |T| over the first 1 to K samples in each of B shuffles, (B, K)."""
    total, samples = len(pooled.order), len(pooled.sizes)
    remaining = permutations(total * samples)
    batches = []
    while remaining:
        rows = min(max(_BATCH // (total * samples), 1), remaining)
        remaining -= rows
        t = np.abs(statistics(pooled, _shuffles(rows, total, rng)))
        # The highest of a sample's pairs with those before it, and of all pairs up to it.
        batches.append(np.maximum.accumulate(np.triu(t).max(axis=1), axis=1))
    return np.concatenate(batches)


def _shuffles(rows: int, total: int, rng: np.random.Generator) -> Indices:
    return rng.permuted(np.tile(np.arange(total), (rows, 1)), axis=1)


@lru_cache(maxsize=256)
def _untied_pair_null(n: int, m: int) -> Floats:
    pooled = pool([np.arange(n, dtype=np.float64), np.arange(n, n + m, dtype=np.float64)])
    return _pair_null(pooled, np.random.default_rng([n, m]))


@lru_cache(maxsize=256)
def _tied_pair_null(n: int, m: int, ranks: tuple[int, ...], seed: int) -> Floats:
    """Compute the null distribution of n + m scores with these ranks, equal ones with the same."""
    scores = np.array(ranks, dtype=np.float64)
    return _pair_null(pool([scores[:n], scores[n:]]), np.random.default_rng([seed, n, m, *ranks]))


def _pair_null(pooled: Pool, rng: np.random.Generator) -> Floats:
    """Sort |T| of two samples over all arrangements, or over random ones and the observed one."""
    n, m = (int(size) for size in pooled.sizes)
    if math.comb(n + m, n) <= _MOST_ARRANGEMENTS:
        null = np.abs(statistics(pooled, _arrangements(n, m))[:, 0, 1])
    else:
        null = np.abs(statistics(pooled, _shuffles(MOST_PERMUTATIONS, n + m, rng))[:, 0, 1])
        null = np.append(null, math.inf)  # The observed arrangement is always at least as extreme as itself.
    return np.sort(null)


def _arrangements(n: int, m: int) -> Indices:
    """List all C(n + m, n) ways to call n of n + m positions x: x first, then the others."""
    chosen = np.array(list(combinations(range(n + m), n)), dtype=np.intp)
    is_x = np.zeros((len(chosen), n + m), dtype=bool)
    np.put_along_axis(is_x, chosen, True, axis=1)
    return np.argsort(~is_x, axis=1, kind="stable")


def _share_at_least(null: Floats, statistic: float) -> float:
    return float(1 - np.searchsorted(null, statistic * _ROUNDING, "left") / len(null))
