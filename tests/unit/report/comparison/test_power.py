"""Power against independent tables, Cohen's and closed forms."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from gan_lab.report.comparison import minimum_detectable_effect, required_seeds, selection_bias
from gan_lab.report.comparison.permutation import critical_value, untied_maxima
from gan_lab.report.comparison.power import pair_critical_value, pooled_sd, power
from tests.helpers.studies import INF, rng


@pytest.mark.parametrize(
    ("seeds", "expected"), [(5, 2.25), (6, 2.0), (8, 1.54), (10, 1.36), (16, 1.05), (20, 0.92), (64, 0.51)]
)
def test_detectable_effects_of_one_comparison(seeds: int, expected: float) -> None:
    """A t-test finds 2.0, 1.8, 1.50, 1.33, 1.02, .91 and .50; ranks of few seeds take a little more."""
    critical = pair_critical_value(seeds, seeds)
    effect = minimum_detectable_effect(seeds, seeds, critical)
    assert effect == pytest.approx(expected, rel=0.04)
    assert effect is not None
    assert power(effect, seeds, seeds, critical) == pytest.approx(0.8, abs=0.01)


def test_a_joint_test_of_many_takes_more() -> None:
    effects = [
        minimum_detectable_effect(10, 10, critical_value(np.asarray(untied_maxima(12, 10)[:, k - 1]), 0.05))
        for k in (2, 7, 12)
    ]
    assert effects[0] == pytest.approx(1.36, rel=0.04)
    assert 1.8 < (effects[1] or 0) < 2.2 < (effects[2] or 0) < 2.6


def test_no_difference_is_detectable_where_none_can_be_significant() -> None:
    assert minimum_detectable_effect(5, 5, INF) is None
    assert minimum_detectable_effect(1, 9, 2.0) is None
    assert power(50.0, 5, 5, INF) == 0
    assert power(50.0, 5, 5, 9.0) == 1


@pytest.mark.parametrize(("effect", "expected"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)])
def test_required_seeds_are_cohens_and_a_few_more(effect: float, expected: int) -> None:
    """Cohen (1988), table 2.4.1, two-sided .05, power .80; by ranks pi / 3 times as many."""
    scores = stats.norm.ppf((np.arange(1_000) + 0.5) / 1_000)
    seeds = required_seeds(scores + effect, scores)
    assert seeds == pytest.approx(expected * math.pi / 3, rel=0.04, abs=1)
    assert required_seeds(scores, scores + effect) == seeds


def test_required_seeds_at_both_ends() -> None:
    low = np.arange(10.0)
    assert required_seeds(low, low) is None
    assert required_seeds(np.full(5, 8.0), np.full(5, 8.0)) is None
    assert required_seeds(low + 100, low) == 5
    # Five seeds each never reach .005 (their smallest p is .008), six do.
    assert required_seeds(low + 100, low, alpha=0.005) == 6
    assert required_seeds(np.ones(30), np.full(30, -INF)) == 5


@pytest.mark.parametrize("seeds", [5, 10])
def test_pooled_sd_is_the_standard_deviation_and_ignores_diverged_seeds(seeds: int) -> None:
    samples = [rng(i).normal(i, 3, size=seeds) for i in range(400)]
    assert pooled_sd(samples) == pytest.approx(3, rel=0.04)
    spoilt = [np.append(s, -INF) for s in samples] + [np.append(s, s[0] + 100) for s in samples[:40]]
    assert pooled_sd(spoilt) == pytest.approx(3, rel=0.1)


def test_pooled_sd_of_tied_scores() -> None:
    mostly = np.array([8.0] * 7 + [7.0])
    assert pooled_sd([mostly, mostly]) == pytest.approx(mostly.std(ddof=1))
    assert pooled_sd([np.full(9, 8.0), np.full(9, 7.0), np.full(9, -INF)]) is None


@pytest.mark.parametrize(("candidates", "seeds"), [(2, 1), (15, 3), (7, 2)])
def test_selection_bias_is_the_expected_highest_of_normal_numbers(candidates: int, seeds: int) -> None:
    """Of under four seeds the IQM is the mean, and E max = ∫ x d(Φ(x)^A), divided by sqrt(S)."""

    def density(x: float) -> float:
        return x * candidates * float(stats.norm.cdf(x) ** (candidates - 1) * stats.norm.pdf(x))

    expected = integrate.quad(density, -9, 9)[0] / math.sqrt(seeds)
    assert selection_bias([seeds] * candidates) == pytest.approx(expected, rel=0.02)


def test_selection_bias_of_fifteen_at_ten_seeds() -> None:
    """.54 for means; IQMs of ten normal scores vary 1.07 times as much."""
    assert selection_bias([10] * 15) == pytest.approx(0.54 * 1.07, rel=0.03)
    assert selection_bias([10]) == 0
    assert selection_bias([10, 20]) == pytest.approx(math.sqrt((0.1 + 0.05) / (2 * math.pi)) * 1.07, rel=0.03)
