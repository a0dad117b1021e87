"""The permutation test against scipy's, exactly."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from gan_lab.report import comparison as statistics
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import INF, rng


def p_value(x: Floats, y: Floats, resamples: int = 9_999, seed: int = 0) -> float:
    return statistics.permutation_test([x], [y], rng=rng(seed), resamples=resamples)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy divides by the variance of separated samples
@pytest.mark.parametrize(("n", "m"), [(4, 6), (5, 5), (2, 8)])
def test_p_is_that_of_scipys_permuted_brunner_munzel_statistic(n: int, m: int) -> None:
    for seed in range(4):
        x, y = rng(seed).normal(1, 3, size=n), rng(seed + 10).normal(size=m)
        x[0], x[1] = y.max() + 1, y.min() - 1  # where they do not overlap, scipy's p is 0
        expected = stats.permutation_test(
            (x, y),
            lambda a, b: stats.brunnermunzel(a, b).statistic,
            vectorized=False,
            n_resamples=np.inf,
        )
        assert p_value(x, y) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("scores", [np.arange(10.0), np.array([0, 0, 1, 1, 1, 2, 2, 3, -INF, -INF])])
def test_the_exact_test_is_valid_with_and_without_ties(scores: Floats) -> None:
    """Were each arrangement of the same scores observed in turn, at most a share a would have p <= a."""
    found = []
    for chosen in combinations(range(10), 4):
        x, y = scores[list(chosen)], np.delete(scores, chosen)
        found.append(p_value(x, y))
    for p in sorted(set(found)):
        assert np.mean(np.array(found) <= p + 1e-12) <= p + 1e-9


def test_separated_samples_have_the_smallest_p_there_is() -> None:
    low, high = np.arange(5.0), np.arange(5.0) + 10
    assert p_value(high, low) == pytest.approx(2 / math.comb(10, 5))
    assert p_value(np.full(5, 8.0), np.full(5, 7.0)) == pytest.approx(2 / math.comb(10, 5))
    assert p_value(np.ones(5), np.full(5, -INF)) == pytest.approx(2 / math.comb(10, 5))
    two = statistics.permutation_test([high[:4], low[:4]], [low[:4], low[:4] - 9], rng=rng())
    assert two == pytest.approx(2 / math.comb(8, 4) ** 2)
    # Of 6e8 arrangements none of 9,999 random ones is as extreme as the observed one.
    assert p_value(np.arange(16.0), np.arange(16.0) + 20) == pytest.approx(1 / 10_000)


def test_random_arrangements_come_near_the_exact_p() -> None:
    x, y = rng(1).normal(0.8, size=7), rng(2).normal(size=7)
    exact = p_value(x, y)
    assert p_value(x, y, resamples=3_000) == pytest.approx(exact, abs=4 * math.sqrt(exact / 3_000))


def test_what_is_equal_has_p_1() -> None:
    for size in (1, 5, 20):
        assert p_value(np.full(size, 8.0), np.full(size, 8.0)) == 1
        assert p_value(np.full(size, -INF), np.full(size, -INF)) == 1


def test_p_depends_on_ranks_alone_and_not_on_who_is_first() -> None:
    x, y = rng(1).normal(0.7, size=9), rng(2).normal(size=9)
    assert p_value(np.exp(x), np.exp(y)) == p_value(x, y)
    x, y = x[:6], y[:6]
    assert p_value(y, x) == p_value(x, y)


def test_settings_are_not_mixed() -> None:
    """A difference that the second setting's other level would hide in one pool."""
    x = [np.arange(4.0) + 4, np.arange(4.0) + 1004]
    y = [np.arange(4.0), np.arange(4.0) + 1000]
    assert statistics.permutation_test(x, y, rng=rng()) == pytest.approx(2 / 70**2)
    assert p_value(np.concatenate(x), np.concatenate(y)) > 0.05


def test_holms_correction() -> None:
    """R: p.adjust(c(.01, .04, .03, .005), "holm")."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.6]) == [1.0, 1.0]
    assert statistics.holm([]) == []
