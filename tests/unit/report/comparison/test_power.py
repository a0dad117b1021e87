"""Power against independent tables, Cohen's and closed forms."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from gan_lab.report import comparison as statistics
from tests.helpers.studies import INF, rng

DETECTABLE = [
    (5, 1, 2.0),
    (10, 1, 1.33),
    (20, 1, 0.91),
    (5, 13, 3.2),
    (10, 13, 1.90),
    (20, 13, 1.25),
    (30, 13, 1.00),
    (5, 91, 4.4),
    (10, 91, 2.3),
    (20, 91, 1.5),
]


@pytest.mark.parametrize(("seeds", "comparisons", "expected"), DETECTABLE)
def test_detectable_effects_of_an_independent_table(seeds: int, comparisons: int, expected: float) -> None:
    assert statistics.minimum_detectable_effect(seeds, comparisons) == pytest.approx(expected, rel=0.03)


def test_nothing_is_detectable_with_one_seed() -> None:
    assert statistics.minimum_detectable_effect(1) is None
    two = statistics.minimum_detectable_effect(2)
    assert two is not None
    assert two > 5


@pytest.mark.parametrize(("effect", "expected"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)])
def test_seeds_to_separate_are_cohens(effect: float, expected: int) -> None:
    """Cohen (1988), table 2.4.1: two-sided .05, power .80."""
    scores = stats.norm.ppf((np.arange(1_000) + 0.5) / 1_000)
    found = statistics.required_seeds([scores + effect], [scores])
    assert found == pytest.approx(expected, rel=0.02)
    assert statistics.required_seeds([scores], [scores + effect]) == found


def test_seeds_to_separate_at_both_ends() -> None:
    low = np.arange(10.0)
    assert statistics.required_seeds([low], [low]) is None
    assert statistics.required_seeds([np.full(5, 8.0)], [np.full(5, 8.0)]) is None
    assert statistics.required_seeds([low + 100], [low]) == 5
    assert statistics.required_seeds([low + 100] * 3, [low] * 3) == 5
    # Five seeds each never reach .005 (their smallest p is .008), six do.
    assert statistics.required_seeds([low + 100], [low], level=0.995) == 6
    assert statistics.required_seeds([np.ones(5)], [np.full(5, -INF)]) == 5
    assert statistics.required_seeds([np.ones(1_000)], [np.zeros(1_000)]) == 5


@pytest.mark.parametrize("seeds", [5, 10])
def test_spread_is_the_standard_deviation_and_ignores_failures(seeds: int) -> None:
    samples = [rng(i).normal(i, 3, size=seeds) for i in range(400)]
    assert statistics.pooled_sd(samples) == pytest.approx(3, rel=0.04)
    spoilt = [np.append(s, -INF) for s in samples] + [np.append(s, s[0] + 100) for s in samples[:40]]
    assert statistics.pooled_sd(spoilt) == pytest.approx(3, rel=0.1)


def test_spread_of_tied_scores() -> None:
    mostly = np.array([8.0] * 7 + [7.0])
    assert statistics.pooled_sd([mostly, mostly]) == pytest.approx(mostly.std(ddof=1))
    assert statistics.pooled_sd([np.full(9, 8.0), np.full(9, 7.0), np.full(9, -INF)]) is None


@pytest.mark.parametrize(("candidates", "seeds"), [(2, 1), (15, 3), (7, 2)])
def test_winner_bias_is_the_expected_highest_of_normal_numbers(candidates: int, seeds: int) -> None:
    """Of under four seeds the IQM is the mean, and E max = ∫ x d(Φ(x)^A), divided by sqrt(S)."""

    def density(x: float) -> float:
        return x * candidates * float(stats.norm.cdf(x) ** (candidates - 1) * stats.norm.pdf(x))

    expected = integrate.quad(density, -9, 9)[0] / math.sqrt(seeds)
    assert statistics.selection_bias([seeds] * candidates, rng()) == pytest.approx(expected, rel=0.04)


def test_winner_bias_of_fifteen_at_ten_seeds() -> None:
    """.54 for means; IQMs of ten normal scores vary 1.07 times as much."""
    assert statistics.selection_bias([10] * 15, rng()) == pytest.approx(0.54 * 1.07, rel=0.03)
    assert statistics.selection_bias([10], rng()) == 0
