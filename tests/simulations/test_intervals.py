"""How often intervals hold the truth."""

from collections.abc import Callable

import numpy as np
import pytest

from gan_lab.report.comparison import iqm, probability_better_interval
from gan_lab.report.comparison.bootstrap import Replicates, difference_interval, iqm_interval
from gan_lab.report.comparison.scores import Floats
from tests.helpers.simulation import at_least, at_most

STUDIES = 1_000
RESAMPLES = 1_999

Sample = Callable[[np.random.Generator, int], Floats]


def normal(rng: np.random.Generator, seeds: int) -> Floats:
    return rng.standard_normal(seeds)


def lognormal(rng: np.random.Generator, seeds: int) -> Floats:
    return -np.exp(rng.standard_normal(seeds))


def diverging(rng: np.random.Generator, seeds: int) -> Floats:
    """One seed in twenty diverges, which the IQM of many does not see."""
    return np.where(rng.random(seeds) < 0.05, -np.inf, rng.standard_normal(seeds))


def truth(sample: Sample) -> float:
    """The IQM of the distribution."""
    return iqm(sample(np.random.default_rng(99), 1_000_000))


# Of five seeds the interval is the range of the data, which misses the median once in sixteen times.
@pytest.mark.parametrize("sample", [normal, lognormal, diverging])
@pytest.mark.parametrize(
    ("seeds", "low", "high"), [(5, 0.925, 0.9375), (6, 0.94, 0.97), (10, 0.95, 0.98), (20, 0.94, 0.98)]
)
def test_coverage_of_the_interval_of_an_iqm(sample: Sample, seeds: int, low: float, high: float) -> None:
    rng, center = np.random.default_rng(seeds), truth(sample)
    hits = 0
    for _ in range(STUDIES):
        interval = iqm_interval(Replicates.draw("a", sample(rng, seeds), resamples=RESAMPLES))
        hits += interval.low <= center <= interval.high
    assert at_least(low, STUDIES) <= hits / STUDIES <= at_most(high, STUDIES)


@pytest.mark.parametrize("sample", [normal, lognormal])
@pytest.mark.parametrize(("n", "m"), [(5, 5), (8, 8), (20, 20), (5, 20)])
def test_coverage_of_the_interval_of_a_difference(sample: Sample, n: int, m: int) -> None:
    """One of the two varies three times as much; in 5 against 20 the one with few seeds."""
    rng, center = np.random.default_rng([n, m]), 2 * truth(sample)
    hits = 0
    for _ in range(STUDIES):
        x = Replicates.draw("a", 3 * sample(rng, n), resamples=RESAMPLES)
        y = Replicates.draw("b", sample(rng, m), resamples=RESAMPLES)
        interval = difference_interval(x, y)
        hits += interval.low <= center <= interval.high
    assert hits / STUDIES >= at_least(0.95, STUDIES)
    assert hits / STUDIES <= at_most(0.99, STUDIES)


# (n, m, spread of the first): differences of 0 to 3 standard deviations of the second.
@pytest.mark.parametrize("effect", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    ("n", "m", "spread"), [(5, 5, 1), (5, 5, 3), (10, 10, 1), (10, 10, 3), (20, 20, 1), (5, 20, 1)]
)
def test_coverage_of_the_interval_of_the_probability_to_beat(
    n: int, m: int, spread: float, effect: float
) -> None:
    rng = np.random.default_rng([n, m, int(effect)])
    many = np.random.default_rng(7)
    share = float((many.normal(effect, spread, size=1_000_000) > many.standard_normal(1_000_000)).mean())
    hits, narrowest = 0, 1.0
    for _ in range(STUDIES):
        low, high = probability_better_interval(rng.normal(effect, spread, size=n), rng.standard_normal(m))
        hits += low <= share <= high
        narrowest = min(narrowest, high - low)
    assert hits / STUDIES >= at_least(0.92, STUDIES)
    assert narrowest > 0.02


@pytest.mark.parametrize("seeds", [5, 10])
def test_coverage_of_the_interval_of_the_probability_to_beat_with_ties(seeds: int) -> None:
    """Modes found of eight, .9 against .8 each."""
    rng, many = np.random.default_rng(seeds), np.random.default_rng(7)
    x, y = many.binomial(8, 0.9, size=1_000_000), many.binomial(8, 0.8, size=1_000_000)
    share = float((x > y).mean() + (x == y).mean() / 2)
    hits = 0
    for _ in range(STUDIES):
        ours, theirs = (rng.binomial(8, p, size=seeds).astype(np.float64) for p in (0.9, 0.8))
        low, high = probability_better_interval(ours, theirs)
        hits += low <= share <= high
    assert hits / STUDIES >= at_least(0.94, STUDIES)
