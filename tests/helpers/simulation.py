"""Made-up studies by the thousand: distributions of scores, and tolerances that follow from their number."""

import math
from collections.abc import Callable

import numpy as np

from gan_lab.report.comparison.scores import Floats

Draw = Callable[[np.random.Generator, int, int], Floats]


def normal(rng: np.random.Generator, candidates: int, seeds: int) -> Floats:
    """Standard normal scores, (candidates, seeds)."""
    return rng.standard_normal((candidates, seeds))


def lognormal(rng: np.random.Generator, candidates: int, seeds: int) -> Floats:
    """Minus lognormal costs: a long tail of bad seeds."""
    return -np.exp(rng.standard_normal((candidates, seeds)))


def one_noisy(rng: np.random.Generator, candidates: int, seeds: int) -> Floats:
    """Normal scores; the first candidate's vary three times as much."""
    scores = rng.standard_normal((candidates, seeds))
    scores[0] *= 3
    return scores


def half_noisy(rng: np.random.Generator, candidates: int, seeds: int) -> Floats:
    """Normal scores; those of half of the candidates vary three times as much."""
    scores = rng.standard_normal((candidates, seeds))
    scores[::2] *= 3
    return scores


def tied(rng: np.random.Generator, candidates: int, seeds: int) -> Floats:
    """Modes found of eight, each with probability .8."""
    return rng.binomial(8, 0.8, size=(candidates, seeds)).astype(np.float64)


def diverging(rng: np.random.Generator, candidates: int, seeds: int) -> Floats:
    """Normal scores, of which one in ten diverged."""
    scores = rng.standard_normal((candidates, seeds))
    return np.where(rng.random(scores.shape) < 0.1, -np.inf, scores)


def named(scores: Floats) -> dict[str, Floats]:
    """Name candidates c0, c1, ...: (K, S) -> {name: (S,)}."""
    return {f"c{i}": row for i, row in enumerate(scores)}


def at_most(share: float, studies: int) -> float:
    """Return what the share in so many studies exceeds once in a thousand times if ``share`` is true."""
    return share + 3.1 * math.sqrt(share * (1 - share) / studies)


def at_least(share: float, studies: int) -> float:
    """Return what the share in so many studies falls below once in a thousand times if ``share`` is true."""
    return share - 3.1 * math.sqrt(share * (1 - share) / studies)
