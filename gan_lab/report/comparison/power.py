"""What a study of S seeds can see, and how much the best of many flatters itself."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import optimize, stats
from scipy.spatial import distance

from gan_lab.report.comparison.bootstrap import probability_better
from gan_lab.report.comparison.scores import Floats, interquartile_means

FEWEST_SEEDS = 5  # under which nothing is tested
MOST_SEEDS = 1_000
_SIMULATIONS = 4_000


def minimum_detectable_effect(
    seeds: int, comparisons: int = 1, *, power: float = 0.8, level: float = 0.95
) -> float | None:
    """Smallest difference, in standard deviations (Cohen's d), found with probability ``power``.

    For S seeds each and as many comparisons as are corrected for, from the two-sample t-test: noncentral t
    with 2S - 2 degrees of freedom and noncentrality d sqrt(S / 2), at (1 - level) / comparisons, the first
    step of Holm. At this effect and normal scores, the simulated power of the permutation test, which pays
    for resting on ranks, is .75 to .79 from eight seeds on, .60 to .73 with five or six. None for one seed.
    """
    if seeds < 2 or comparisons < 1:
        return None

    def missing(effect: float) -> float:
        return _power(effect, seeds, comparisons, level) - power

    high = 1.0
    while missing(high) < 0:
        high *= 2
    return float(optimize.brentq(missing, 0.0, high))


def can_reject(seeds: Sequence[tuple[int, int]], comparisons: int, level: float) -> bool:
    """Whether any difference, however large, could be significant after correction.

    The smallest p-value of the permutation test is 2 / (arrangements of n and m scores): .008 for 5 and 5
    seeds, which 13 comparisons turn into .10. ``seeds`` holds (n, m) for each setting.
    """
    arrangements = math.prod(math.comb(n + m, n) for n, m in seeds)
    return arrangements >= 2 * max(comparisons, 1) / (1 - level) * (1 - 1e-9)


def required_seeds(
    x: Sequence[Floats], y: Sequence[Floats], *, power: float = 0.8, level: float = 0.95
) -> int | None:
    """How many fresh seeds each would tell x from y with probability ``power``, if they differ as here.

    A study of these two alone. The probability of improvement p is taken for that of two normal
    distributions, d = sqrt(2) Phi^-1(p) (McGraw & Wong 1992), so that ties and failed seeds count; p of
    samples that do not overlap is kept half a pair away from 1. With several settings, seeds in each. At
    least five, under which `compare` tests nothing; None for more than 1,000.
    """
    pairs = sum(len(own) * len(other) for own, other in zip(x, y, strict=True))
    share = probability_better(x, y)
    share = min(max(share, 1 - share), 1 - 0.5 / pairs)
    effect = math.sqrt(2) * float(stats.norm.ppf(share))

    def enough(seeds: int) -> bool:
        total = seeds * len(x)
        reachable = can_reject([(seeds, seeds)] * len(x), 1, level)
        return reachable and _power(effect, total, 1, level) >= power

    return _first(enough, FEWEST_SEEDS, MOST_SEEDS)


def pooled_sd(samples: Sequence[Floats]) -> float | None:
    """Pooled robust standard deviation of a score within a candidate and setting.

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


def selection_bias(seeds: Sequence[int], rng: np.random.Generator) -> float:
    """By how many standard deviations of a score the highest IQM exceeds the truth if all are equal.

    E max_a IQM_a over candidates with these numbers of seeds, normal scores, by simulation. For means of S
    seeds it is the expected highest of A standard normal numbers over sqrt(S), .55 for the best of 15 at 10
    seeds; IQMs vary a little more, .58. 0 for one candidate.
    """
    if len(seeds) < 2:
        return 0.0
    highest = np.full(_SIMULATIONS, -math.inf)
    for count in sorted(seeds):
        scores = rng.standard_normal((_SIMULATIONS, count))
        highest = np.maximum(highest, interquartile_means(scores))
    return float(highest.mean())


def _power(effect: float, seeds: int, comparisons: int, level: float) -> float:
    """Of the two-sided t-test, to find an effect in its own direction."""
    freedom = 2 * seeds - 2
    critical = stats.t.isf((1 - level) / comparisons / 2, freedom)
    return float(stats.nct.sf(critical, freedom, effect * math.sqrt(seeds / 2)))


def _first(enough: Callable[[int], bool], low: int, high: int) -> int | None:
    """Smallest number that is enough, where more is never less; None where the highest is not."""
    if not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return low
