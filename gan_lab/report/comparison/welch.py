"""Welch's t of unweighted means over settings, of all pairs of candidates, and its maxima in shuffles."""

from collections.abc import Sequence

import numpy as np

from gan_lab.report.comparison.permutation import permutations
from gan_lab.report.comparison.scores import Floats

_BATCH = 1_000_000


def welch_statistics(settings: Sequence[Sequence[Floats]]) -> Floats:
    """Compute T of every pair of K candidates, (K, K); T[i, j] > 0 where i has the higher mean over settings.

    ``settings`` holds K samples (n,) per setting. T is the difference of means over settings by its
    standard error, whose variances add up.
    """
    return np.asarray(_statistics([(np.concatenate(s)[None], _starts(s)) for s in settings])[0])


def welch_maxima(settings: Sequence[Sequence[Floats]], rng: np.random.Generator) -> Floats:
    """Sort max |T| over all pairs in B joint shuffles of the scores of each setting, (B,)."""
    pooled = [(np.concatenate(s), _starts(s)) for s in settings]
    work = sum(len(scores) for scores, _ in pooled) + len(settings[0]) ** 2
    remaining, batches = permutations(4 * work), []
    while remaining:
        rows = min(max(_BATCH // work, 1), remaining)
        remaining -= rows
        shuffled = [(rng.permuted(np.tile(s, (rows, 1)), axis=1), starts) for s, starts in pooled]
        batches.append(np.abs(_statistics(shuffled)).max(axis=(1, 2)))
    return np.sort(np.concatenate(batches))


def _starts(samples: Sequence[Floats]) -> list[int]:
    """List where each sample starts in their concatenation."""
    return [0, *np.cumsum([len(s) for s in samples])[:-1].tolist()]


def _statistics(settings: Sequence[tuple[Floats, list[int]]]) -> Floats:
    """Compute T from B arrangements (B, N) of the pooled scores of each setting, (B, K, K)."""
    means = variances = np.zeros(())
    for scores, starts in settings:
        sizes = np.diff([*starts, scores.shape[1]])
        mean = np.add.reduceat(scores, starts, axis=1) / sizes
        squares = np.add.reduceat(scores**2, starts, axis=1) / sizes - mean**2
        means = means + mean
        variances = variances + np.maximum(squares, 0.0) / np.maximum(sizes - 1, 1)
    difference = means[:, :, None] - means[:, None, :]
    error = np.sqrt(variances[:, :, None] + variances[:, None, :])
    # Scores lie between 0 and 1: what is below 1e-12 is rounding.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.abs(difference) < 1e-12, 0.0, difference / np.where(error < 1e-9, 0.0, error))
