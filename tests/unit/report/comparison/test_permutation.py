"""Permutation tests against scipy's and exact enumeration."""

import math
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import holm, permutation_test, smallest_seeds
from gan_lab.report.comparison.brunner_munzel import brunner_munzel
from gan_lab.report.comparison.permutation import (
    critical_value,
    maxima,
    p_values,
    smallest_joint_p,
    untied_critical_value,
    untied_maxima,
)
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import INF, rng


def p_value(x: Floats, y: Floats, seed: int = 0) -> float:
    return permutation_test(x, y, seed=seed)


# The statistic


@pytest.mark.parametrize("sizes", [(4, 4, 4), (3, 6, 9), (5, 2)])
@pytest.mark.parametrize("decimals", [0, 12])
def test_the_statistic_of_every_pair_is_minus_scipys(sizes: tuple[int, ...], decimals: int) -> None:
    """scipy's is negative where the first sample is larger."""
    samples = [np.round(rng(i).normal(i / 4, 1.5, size=n), decimals) for i, n in enumerate(sizes)]
    t = brunner_munzel(samples)
    for i, j in permutations(range(len(sizes)), 2):
        expected = -stats.brunnermunzel(samples[i], samples[j]).statistic
        assert t[i, j] == pytest.approx(expected, abs=1e-12)
    assert (t.diagonal() == 0).all()


def test_the_statistic_of_separated_and_of_equal_samples() -> None:
    t = brunner_munzel(
        [np.arange(4.0), np.arange(4.0) + 9, np.full(3, -INF), np.full(5, -INF), np.full(300, 9.0)]
    )
    assert (t[0, 1], t[1, 0], t[0, 2], t[2, 3]) == (-INF, INF, INF, 0)
    assert (t[4, 0], t[4, 3]) == (INF, INF)


# One pair


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy divides by the variance of separated samples
@pytest.mark.parametrize(("n", "m"), [(4, 5), (4, 4), (2, 8)])
def test_p_is_that_of_scipys_permuted_brunner_munzel_statistic(n: int, m: int) -> None:
    for seed in range(3):
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
    p = np.array([p_value(scores[list(x)], np.delete(scores, x)) for x in combinations(range(10), 4)])
    for value in sorted(set(p)):
        assert np.mean(p <= value + 1e-12) <= value + 1e-9


def test_separated_samples_have_the_smallest_p_there_is() -> None:
    low, high = np.arange(5.0), np.arange(5.0) + 10
    assert p_value(high, low) == pytest.approx(2 / math.comb(10, 5))
    assert p_value(np.full(5, 8.0), np.full(5, 7.0)) == pytest.approx(2 / math.comb(10, 5))
    assert p_value(np.ones(5), np.full(5, -INF)) == pytest.approx(2 / math.comb(10, 5))
    # Of 6e8 arrangements none of 9,999 random ones is as extreme as the observed one.
    assert p_value(np.arange(16.0), np.arange(16.0) + 20) == pytest.approx(1 / 10_000)
    assert p_value(np.zeros(16), np.ones(16)) == pytest.approx(1 / 10_000)


def test_random_arrangements_come_near_the_exact_p() -> None:
    x, y = rng(1).normal(0.8, size=9), rng(2).normal(size=9)
    t = abs(brunner_munzel([x, y])[0, 1])
    pooled = np.concatenate([x, y])
    chosen = list(combinations(range(18), 9))[:24_310]  # by symmetry, half of all
    exact = np.mean([_t(pooled, list(c)) >= t - 1e-9 for c in chosen[::23]])
    assert p_value(x, y) == pytest.approx(exact, abs=4 * math.sqrt(exact / 1_000))


def _t(pooled: Floats, chosen: list[int]) -> float:
    return abs(float(brunner_munzel([pooled[chosen], np.delete(pooled, chosen)])[0, 1]))


def test_what_is_equal_has_p_1() -> None:
    for size in (1, 5, 20):
        assert p_value(np.full(size, 8.0), np.full(size, 8.0)) == 1
        assert p_value(np.full(size, -INF), np.full(size, -INF)) == 1


def test_p_depends_on_ranks_alone_and_not_on_who_is_first() -> None:
    x, y = rng(1).normal(0.7, size=9), rng(2).normal(size=9)
    assert p_value(np.exp(x), np.exp(y)) == p_value(x, y)
    assert p_value(y, x) == p_value(x, y)


def test_the_critical_value_is_where_p_reaches_its_level() -> None:
    for seed in range(60):
        x, y = rng(seed).normal(1.3, size=6), rng(seed + 100).normal(size=7)
        significant = p_value(x, y) <= 0.05
        assert significant == (
            abs(brunner_munzel([x, y])[0, 1]) > untied_critical_value(6, 7, 0.05) * (1 + 1e-9)
        )


# All pairs


def test_maxima_are_those_of_all_arrangements() -> None:
    """Three samples of two and three: each of the 7! / (2! 2! 3!) arrangements is equally likely."""
    scores = np.array([0, 1, 1, 2, 3, 4, 4], dtype=float)
    exact = []
    for order in set(permutations((0, 0, 1, 1, 2, 2, 2))):
        t = brunner_munzel([scores[[i for i in range(7) if order[i] == k]] for k in range(3)])
        exact.append(np.abs(t).max())
    null = maxima([scores[:2], scores[2:4], scores[4:]], rng(1))
    for t in (0.5, 1.0, 1.5, 2.5, 4.0, INF):
        share = np.mean(np.array(exact) >= t * (1 - 1e-9))
        assert np.mean(null >= t * (1 - 1e-9)) == pytest.approx(share, abs=4 * 0.5 / math.sqrt(len(null)))


def test_maxima_without_ties_depend_on_numbers_alone() -> None:
    samples = [rng(i).normal(size=4) for i in range(3)]
    np.testing.assert_array_equal(maxima(samples, rng(1)), untied_maxima(3, 4)[:, -1])
    # Of two samples, the maximum is the statistic of the pair.
    for shift in (0.0, 0.8, 1.6, 9.0):
        x, y = rng(1).normal(shift, size=6), rng(2).normal(size=6)
        joint = p_values(untied_maxima(5, 6)[:, 1], np.abs(brunner_munzel([x, y])[0, 1]))
        assert float(joint) == pytest.approx(p_value(x, y), abs=4 * 0.5 / math.sqrt(9_999))


def test_the_critical_value_of_b_shuffles_gives_p_at_most_alpha() -> None:
    null = np.sort(rng(1).exponential(size=199))
    critical = critical_value(null, 0.05)
    assert float(p_values(null, np.array(critical * 1.0001))) == 0.05  # (1 + 9) / 200
    assert float(p_values(null, np.array(critical))) == 0.055
    assert critical_value(null[:10], 0.05) == INF


def test_seeds_from_which_the_joint_test_can_reject() -> None:
    """K (K - 1) / C(2n, n) <= .05."""
    table = {2: 4, 3: 5, 4: 5, 5: 6, 7: 6, 8: 7, 10: 7, 17: 8, 36: 9, 500: 13}
    assert {k: smallest_seeds(k) for k in table} == table
    for k, n in table.items():
        assert smallest_joint_p([n] * k) <= 0.05 < smallest_joint_p([n - 1] * k)
    assert smallest_joint_p([4, 5, 6]) == pytest.approx(2 / 126 + 2 / 210 + 2 / 462)


def test_holms_correction() -> None:
    """R: p.adjust(c(.01, .04, .03, .005), "holm")."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []
