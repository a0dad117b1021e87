"""The Brunner-Munzel statistic of all pairs of samples, for one arrangement of their scores or many at once.

For samples x (n,) and y (m,), with p the share of pairs that x wins (ties half),

    T = (p - 1/2) / sqrt(var(placements of x) / n + var(placements of y) / m),

where the placement of a score is the share of the other sample that it beats (Brunner & Munzel 2000). The
variances make room for unequal spreads. As T rests on ranks, ties and -inf are in order.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gan_lab.report.comparison.scores import Floats

Indices = NDArray[np.intp]
_EXACT_FLOAT32 = 150  # Sums of squared counts of samples up to this size are whole numbers below 2^24.


class Pool(NamedTuple):
    """Scores of K samples, N in all, sorted together.

    sizes: seeds per sample, (K,). first, last: for each of the N sorted positions, the first position that
    holds an equal score and the one after the last, (N,). order: the positions of the scores as they are,
    sample by sample, (N,).
    """

    sizes: NDArray[np.int64]
    first: Indices
    last: Indices
    order: Indices

    @property
    def tied(self) -> bool:
        """Whether two scores are equal."""
        return bool((self.last - self.first > 1).any())


def pool(samples: Sequence[Floats]) -> Pool:
    """Sort K samples, each (n,), together."""
    scores = np.concatenate(samples)
    sorted_scores = np.sort(scores)
    first = np.searchsorted(sorted_scores, sorted_scores, "left")
    last = np.searchsorted(sorted_scores, sorted_scores, "right")
    order = np.empty(len(scores), dtype=np.intp)
    order[np.argsort(scores, kind="stable")] = np.arange(len(scores))
    return Pool(np.array([len(s) for s in samples]), first, last, order)


def statistics(pooled: Pool, order: Indices) -> Floats:
    """Compute T of every pair in each of B arrangements, (B, K, K); T[b, i, j] > 0 where i beats j.

    ``order`` (B, N) holds sorted positions: row b gives the scores at its first n_1 positions to the first
    sample, and so on. T is infinite where two samples do not overlap, 0 where each wins half of the pairs.
    """
    sizes = pooled.sizes
    wins, squares = _sums_of_counts(pooled, order)
    n, m = sizes[:, None], sizes[None, :]
    effect = wins / (2 * n * m) - 0.5
    # Variance of placements over the sample's size; of whole numbers, so that what has none has exactly none.
    variance = (n * squares - wins**2) / (4 * n**2 * np.maximum(n - 1, 1) * m**2)
    variance = variance + np.swapaxes(variance, 1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(np.abs(effect) < 1e-12, 0.0, effect / np.sqrt(variance))
    diagonal = np.arange(len(sizes))
    t[:, diagonal, diagonal] = 0.0
    return np.asarray(t)


def _sums_of_counts(pooled: Pool, order: Indices) -> tuple[Floats, Floats]:
    """Sum, over the scores of sample i, twice the number of scores of j that each beats, and its square.

    Both are (B, K, K), and whole numbers.
    """
    sizes, (rows, total) = pooled.sizes, order.shape
    samples = len(sizes)
    dtype = np.float32 if sizes.max() <= _EXACT_FLOAT32 else np.float64
    row = np.arange(rows)[:, None]
    below = np.zeros((rows, total + 1, samples), dtype=dtype)
    below[row, order + 1, np.repeat(np.arange(samples), sizes)] = 1
    np.cumsum(below, axis=1, out=below)  # How many of each sample lie under a position.
    counts = below[row, pooled.first[order]] + below[row, pooled.last[order]]
    if (sizes == sizes[0]).all():
        counts = counts.reshape(rows, samples, int(sizes[0]), samples)
        return counts.sum(axis=2, dtype=np.float64), np.einsum("bknj,bknj->bkj", counts, counts).astype(float)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    sums = np.add.reduceat(counts, starts, axis=1).astype(float)
    return sums, np.add.reduceat(counts**2, starts, axis=1).astype(float)


def brunner_munzel(samples: Sequence[Floats]) -> Floats:
    """Compute T of every pair of K samples, (K, K); T[i, j] > 0 where i beats j."""
    pooled = pool(samples)
    return np.asarray(statistics(pooled, pooled.order[None])[0])


def pairwise_wins(x: Floats, y: Floats) -> Floats:
    """Compare scores x (n,) and y (m,) in all pairs: 1 where x is higher, 1/2 where equal, (n, m)."""
    return np.asarray((x[:, None] > y) + 0.5 * (x[:, None] == y))
