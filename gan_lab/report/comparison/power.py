"""Power of a comparison, seeds that a difference takes, and the bias of picking the best (winner's curse)."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy import integrate, optimize, stats
from scipy.spatial import distance

from gan_lab.report.comparison.claims import FEWEST_SEEDS
from gan_lab.report.comparison.permutation import untied_critical_value
from gan_lab.report.comparison.probability import probability_better
from gan_lab.report.comparison.scores import Floats, interquartile_means

MOST_SEEDS = 1_000
_SIMULATIONS = 4_000
_LARGEST_SIMULATION = 20_000_000  # Pairs of scores: fewer simulations of many seeds, 500 at least.
_MOST_SIMULATED_PAIRS = 40_000  # 200 and 200 seeds.
_MOST_SEARCHED_BY_SIMULATION = 16  # Seeds; a pair's own test is a t-test of ranks beyond.
_LARGEST_EFFECT = 64.0


def power(effect: float, n: int, m: int, critical: float) -> float:
    """Compute the probability that Brunner-Munzel's T of n and m normal scores exceeds ``critical``.

    effect: the true difference in standard deviations (Cohen's d). By simulation with fixed draws, up to 200
    and 200 seeds; beyond, by `rank_t_power`.
    """
    if n * m > _MOST_SIMULATED_PAIRS:
        return rank_t_power(effect, n, m, critical)
    x, y = _normal_scores(n, m)
    return float((_statistics(x + effect, y) > critical * (1 + 1e-9)).mean())


def rank_t_power(effect: float, n: int, m: int, critical: float) -> float:
    """Approximate `power` by that of a t-test, noncentral t with n + m - 2 degrees of freedom.

    Of an effect of sqrt(3 / pi) d, the efficiency of ranks. Right for the critical value of a single pair;
    too low by five points and more for the higher ones of joint tests.
    """
    noncentrality = effect * math.sqrt(3 / math.pi * n * m / (n + m))
    return float(stats.nct.sf(critical, n + m - 2, noncentrality))


@lru_cache(maxsize=1_024)
def minimum_detectable_effect(n: int, m: int, critical: float, target: float = 0.8) -> float | None:
    """Compute the smallest difference, in standard deviations, that a pair shows with probability ``target``.

    For n and m normal scores and a test that rejects where T exceeds ``critical``. None where no
    difference, however large, could be significant.
    """
    if n < 2 or m < 2 or power(_LARGEST_EFFECT, n, m, critical) < target:
        return None
    return float(
        optimize.bisect(lambda d: power(d, n, m, critical) - target, 0.0, _LARGEST_EFFECT, xtol=1e-3)
    )


def required_seeds(x: Floats, y: Floats, *, target: float = 0.8, alpha: float = 0.05) -> int | None:
    """Compute how many fresh seeds each tell x (n,) from y (m,) with probability ``target``.

    In a study of these two alone, if they differ as here. The probability that one beats the other is taken
    for that of two normal distributions, d = sqrt(2) Phi^-1(p) (McGraw & Wong 1992), so that ties and
    diverged seeds count; p of samples that do not overlap is kept half a pair away from 1. At least five;
    None for more than 1,000.
    """
    share = probability_better(x, y)
    share = min(max(share, 1 - share), 1 - 0.5 / (len(x) * len(y)))
    return _seeds_for(round(math.sqrt(2) * float(stats.norm.ppf(share)), 3), target, alpha)


@lru_cache(maxsize=4_096)
def _seeds_for(effect: float, target: float, alpha: float) -> int | None:
    """Search the smallest number of seeds, by bisection."""

    def enough(seeds: int) -> bool:
        critical = pair_critical_value(seeds, seeds, alpha)
        if seeds > _MOST_SEARCHED_BY_SIMULATION:
            return rank_t_power(effect, seeds, seeds, critical) >= target
        detectable = minimum_detectable_effect(seeds, seeds, critical, target)
        return detectable is not None and detectable <= effect

    low, high = FEWEST_SEEDS, MOST_SEEDS
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low


def pair_critical_value(n: int, m: int, alpha: float = 0.05) -> float:
    """Return the T that the test of n and m scores must exceed, that of a t-test beyond 16 seeds."""
    if max(n, m) > _MOST_SEARCHED_BY_SIMULATION:
        return float(stats.t.isf(alpha / 2, n + m - 2))
    return untied_critical_value(n, m, alpha)


@lru_cache(maxsize=16)
def _normal_scores(n: int, m: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng([n, m])
    count = min(_SIMULATIONS, max(_LARGEST_SIMULATION // (n * m), 500))
    return rng.standard_normal((count, n)), rng.standard_normal((count, m))


def _statistics(x: Floats, y: Floats) -> Floats:
    """Compute T of each row of x (B, n) against the same row of y (B, m), (B,)."""
    n, m = x.shape[1], y.shape[1]
    wins = x[:, :, None] > y[:, None, :]
    ours, theirs = wins.mean(axis=2), wins.mean(axis=1)
    variance = ours.var(axis=1, ddof=1) / n + theirs.var(axis=1, ddof=1) / m
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = ours.mean(axis=1) - 0.5
        return np.where(effect == 0, 0.0, effect / np.sqrt(np.where(variance < 1e-12, 0.0, variance)))


def pooled_sd(samples: Sequence[Floats]) -> float | None:
    """Estimate the robust standard deviation of a score within samples (S,), pooled over them.

    The median of |x_i - x_j| over all pairs within a sample, of all samples together, divided by its value
    for a normal distribution, sqrt(2) Phi^-1(3/4): like the estimators of Rousseeuw & Croux (1993) it needs
    no center, so few seeds do not bias it. Where most pairs are tied and that is 0, the pooled standard
    deviation. Of finite scores; None where nothing varies.
    """
    finite = [s[np.isfinite(s)] for s in samples]
    finite = [s for s in finite if len(s) > 1]
    if all(np.ptp(s) == 0 for s in finite):
        return None
    distances = np.concatenate([distance.pdist(s[:, None]) for s in finite])
    robust = float(np.median(distances) / (math.sqrt(2) * stats.norm.ppf(0.75)))
    squares = sum(len(s) * s.var() for s in finite)
    return robust or math.sqrt(squares / sum(len(s) - 1 for s in finite))


def selection_bias(seeds: Sequence[int]) -> float:
    """Compute by how many standard deviations of a score the highest IQM exceeds the truth if all are equal.

    E max_a IQM_a over candidates with these numbers of seeds, for normal scores, whose IQMs are nearly
    normal. For means of S seeds it is the expected highest of A standard normal numbers over sqrt(S), .55
    for the best of 15 at 10 seeds; IQMs vary a little more, .58. 0 for one candidate.
    """
    if len(seeds) < 2:
        return 0.0
    counts = Counter(seeds)
    grid = np.linspace(-8.0, 8.0, 4_001)
    all_below = np.prod([stats.norm.cdf(grid / _iqm_sd(n)) ** count for n, count in counts.items()], axis=0)
    # E max = integral of P(max > t) over t > 0, less that of P(max <= t) over t < 0.
    return float(integrate.trapezoid((grid > 0) - all_below, grid))


@lru_cache(maxsize=256)
def _iqm_sd(seeds: int) -> float:
    """Standard deviation of the IQM of so many standard normal scores, by simulation with fixed draws."""
    scores = np.random.default_rng(seeds).standard_normal((20_000, seeds))
    return float(interquartile_means(scores).std())
