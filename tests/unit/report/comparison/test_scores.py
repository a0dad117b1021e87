"""Scores: orientation, interquartile mean, order and scales, against scipy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import Scale, iqm, orient_scores
from gan_lab.report.comparison.scores import finite_iqm, merit
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.studies import INF, rng


def test_orientation_turns_costs_round_and_ranks_what_diverged_last() -> None:
    values = [1.5, None, math.nan, INF, -INF, 0.5]
    np.testing.assert_array_equal(orient_scores(values, "min"), [-1.5, -INF, -INF, -INF, -INF, -0.5])
    np.testing.assert_array_equal(orient_scores(values, "max"), [1.5, -INF, -INF, -INF, -INF, 0.5])
    np.testing.assert_array_equal(orient_scores([-1e-9, 2.0], "max", worst=0.0), [0.0, 2.0])
    np.testing.assert_array_equal(orient_scores([0.7, None], "min", worst=0.6), [-0.6, -INF])
    with pytest.raises(ConfigurationError, match="bigger"):
        orient_scores([1.0], "bigger")


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5, 8, 10, 13])
def test_iqm_is_scipys_trimmed_mean_as_in_rliable(seeds: int) -> None:
    """rliable's `aggregate_iqm` is `scipy.stats.trim_mean(scores, proportiontocut=0.25)`."""
    scores = rng(seeds).lognormal(size=seeds)
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores, 0.25), rel=1e-12)


def test_iqm_where_seeds_diverged() -> None:
    assert iqm([-INF, -INF, 1, 2, 3, 4, 5, 6]) == pytest.approx(2.5)  # cuts two at either end
    assert iqm([-INF, -INF, -INF, 2, 3, 4, 5, 6]) == -INF
    assert iqm([-INF] * 5) == -INF
    assert finite_iqm(np.array([-INF, -INF, -INF, 2, 3, 4, 5, 6.0])) == pytest.approx(4)
    assert finite_iqm(np.full(3, -INF)) is None


def test_equal_scores_have_exactly_their_value_whatever_their_number() -> None:
    """The mean of ten times 0.1 is not 0.1 in floating point, and would beat that of six."""
    assert {iqm([0.1] * n) for n in range(1, 40)} == {0.1}


def test_merit_orders_by_iqm_and_then_by_who_diverged_less() -> None:
    third = np.array([-INF] * 3 + [9.0] * 7)
    half = np.array([-INF] * 5 + [99.0] * 5)
    better_half = np.array([-INF] * 5 + [100.0] * 5)
    steady = np.full(10, 1.0)
    order = [steady, third, better_half, half, np.full(10, -INF)]
    merits = [merit(scores) for scores in order]
    assert merits == sorted(merits, reverse=True)
    assert len(set(merits)) == 5


def test_a_scale_runs_from_untrained_to_real_data_and_no_further() -> None:
    fid = orient_scores([200.0, 110.0, 20.0, 5.0, 900.0, None], "min")
    assert Scale(-200.0, -20.0)(fid) == pytest.approx([0, 0.5, 1, 1, 0, 0])
    log = Scale(-200.0, -2.0, log=True)(orient_scores([200.0, 20.0, 2.0, None], "min"))
    assert log == pytest.approx([0, 0.5, 1, 0])
    assert Scale(0.0, 0.5)(np.array([0.25, -1.0, 2.0])) == pytest.approx([0.5, 0, 1])


@pytest.mark.parametrize("scale", [Scale(1.0, 1.0), Scale(-2.0, -3.0), Scale(-1.0, 0.0, log=True)])
def test_a_scale_that_does_not_rise_or_has_no_logarithm_is_refused(scale: Scale) -> None:
    with pytest.raises(ConfigurationError, match="a scale needs real data that score better"):
        scale(np.zeros(2))
