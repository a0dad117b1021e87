"""Bootstrap intervals against scipy, and where scores are constant or diverged."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison.bootstrap import (
    Replicates,
    attained_level,
    difference_interval,
    expanded_tail,
    iqm_interval,
    percentile_interval,
    ratio_interval,
    weighted_interval,
)
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import INF, rng


def draw(scores: Any, name: str = "x", **more: Any) -> Replicates:
    return Replicates.draw(name, np.asarray(scores, dtype=float), **more)


def trimmed(samples: Floats, axis: int = -1) -> Any:
    return stats.trim_mean(samples, 0.25, axis=axis)


@pytest.mark.parametrize("seeds", [6, 9, 20])
def test_the_interval_is_scipys_percentile_bootstrap_at_an_expanded_level(seeds: int) -> None:
    scores = rng(seeds).normal(size=seeds)
    t = stats.t.ppf(0.975, seeds - 1)
    tail = stats.norm.cdf(-np.sqrt(seeds / (seeds - 1)) * t)
    assert expanded_tail(seeds) == pytest.approx(tail)
    interval = iqm_interval(draw(scores, resamples=40_000))
    expected = stats.bootstrap(
        (scores,),
        trimmed,
        method="percentile",
        confidence_level=1 - 2 * tail,
        n_resamples=40_000,
        rng=rng(4),
    ).confidence_interval
    assert interval == pytest.approx(tuple(expected), abs=0.08)  # about 4 Monte Carlo errors


def test_the_interval_of_five_seeds_is_the_range_of_the_data() -> None:
    scores = rng(1).normal(size=5)
    assert iqm_interval(draw(scores)) == (scores.min(), scores.max())
    assert attained_level(5) == 0.9375  # The median lies outside the range with probability 2 / 2^5.
    assert [attained_level(n) for n in (1, 2, 3, 4, 6, 20)] == [0, 0.5, 0.75, 0.875, 0.95, 0.95]


def test_interval_ends_are_the_250th_of_9999() -> None:
    assert percentile_interval(rng().permutation(9_999).astype(float), 0.025) == (249.0, 9_749.0)
    assert percentile_interval(rng().permutation(9_999).astype(float), 0.0) == (0.0, 9_998.0)


def test_intervals_of_diverged_and_constant_scores_are_never_nan() -> None:
    half, lost, same = draw([-INF] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0]), draw([-INF] * 6), draw([0.1] * 7)
    low, high = iqm_interval(half)
    assert low == -INF
    assert 1 <= high <= 5
    assert iqm_interval(lost) == (-INF, -INF)
    assert iqm_interval(same) == (0.1, 0.1)
    assert iqm_interval(draw([3.0])) == (3.0, 3.0)
    assert difference_interval(lost, lost) == (0, 0)
    assert difference_interval(same, draw([0.1] * 4, "y")) == (0, 0)
    assert difference_interval(lost, same) == (-INF, -INF)
    low, high = difference_interval(half, same)
    assert low == -INF
    assert high < 5


def test_the_difference_inflates_deviations_and_uses_satterthwaites_degrees_of_freedom() -> None:
    x, y = rng(1).normal(3, 1, size=8), rng(2).normal(0, 4, size=12)
    ours, theirs = (trimmed(rng(seed).choice(s, size=(60_000, len(s)))) for seed, s in ((5, x), (6, y)))
    v, w = ours.var(), theirs.var()
    freedom = (v + w) ** 2 / (v**2 / 7 + w**2 / 11)
    tail = stats.norm.cdf(stats.t.ppf(0.025, freedom))
    differences = (
        trimmed(x)
        + np.sqrt(8 / 7) * (ours - trimmed(x))
        - trimmed(y)
        - np.sqrt(12 / 11) * (theirs - trimmed(y))
    )
    expected = np.quantile(differences, [tail, 1 - tail])
    interval = difference_interval(draw(x, "x", resamples=60_000), draw(y, "y", resamples=60_000))
    assert interval == pytest.approx(tuple(expected), abs=0.25)  # about 4 Monte Carlo errors
    weighted = weighted_interval([(2.0, draw(x, "x")), (-2.0, draw(y, "y"))])
    assert weighted == pytest.approx([2 * end for end in difference_interval(draw(x, "x"), draw(y, "y"))])


def test_the_ratio_of_costs_is_the_difference_of_logarithms() -> None:
    x, y = rng(1).lognormal(size=8), 2 * rng(2).lognormal(size=8)
    ours, theirs = draw(-np.log(x), "x"), draw(-np.log(y), "y")
    low, high = difference_interval(ours, theirs)
    assert ratio_interval(ours, theirs) == pytest.approx((np.exp(-high), np.exp(-low)))


def test_resamples_of_two_candidates_are_independent() -> None:
    """They share one table of resamples, in another order."""
    scores = rng(1).normal(size=10)
    x, y = draw(scores, "x"), draw(scores, "y")
    np.testing.assert_array_equal(np.sort(x.iqms), np.sort(y.iqms))
    assert abs(np.corrcoef(x.iqms, y.iqms)[0, 1]) < 4 / np.sqrt(9_999)
    np.testing.assert_array_equal(x.iqms, draw(scores, "x").iqms)
    assert (np.sort(x.iqms) != np.sort(draw(scores, "x", seed=1).iqms)).any()
