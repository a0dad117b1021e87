"""Scores: orientation, interquartile mean and scales, against scipy and by hand."""

import math

import numpy as np
import pytest
from scipy import stats

from gan_lab.report import comparison as statistics
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.studies import INF, rng


def test_orient_turns_lower_round_and_ranks_what_failed_last() -> None:
    values = [1.5, None, math.nan, INF, -INF, 0.5]
    np.testing.assert_array_equal(
        statistics.orient_scores(values, "min"), [-1.5, -INF, -INF, -INF, -INF, -0.5]
    )
    np.testing.assert_array_equal(statistics.orient_scores(values, "max"), [1.5, -INF, -INF, -INF, -INF, 0.5])
    np.testing.assert_array_equal(statistics.orient_scores([-1e-9, 2.0], "max", worst=0.0), [0.0, 2.0])
    np.testing.assert_array_equal(statistics.orient_scores([0.7, None], "min", worst=0.6), [-0.6, -INF])
    with pytest.raises(ConfigurationError, match="bigger"):
        statistics.orient_scores([1.0], "bigger")


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5, 8, 10, 13])
def test_iqm_is_scipys_trimmed_mean(seeds: int) -> None:
    scores = rng(seeds).lognormal(size=seeds)
    assert statistics.iqm(scores) == pytest.approx(stats.trim_mean(scores, 0.25), rel=1e-12)


def test_iqm_of_failed_seeds() -> None:
    assert statistics.iqm([-INF, -INF, 1, 2, 3, 4, 5, 6]) == pytest.approx(2.5)  # cuts two at either end
    assert statistics.iqm([-INF, -INF, -INF, 2, 3, 4, 5, 6]) == -INF
    assert statistics.iqm([-INF] * 5) == -INF


def test_equal_scores_have_exactly_their_value_whatever_their_number() -> None:
    """The mean of ten times 0.1 is not 0.1 in floating point, and would beat that of six."""
    assert {statistics.iqm([0.1] * n) for n in range(1, 40)} == {0.1}


def test_normalized_scores_run_from_the_5_to_the_95_percent_quantile() -> None:
    study = {"a": [rng(1).normal(size=10), rng(2).normal(100, 50, size=10)]}
    study["b"] = [rng(3).normal(size=10), rng(4).normal(100, 50, size=10)]
    found = statistics.normalize_scores(study)
    for k in range(2):
        pooled = np.concatenate([found["a"][k], found["b"][k]])
        assert np.quantile(pooled, [0.05, 0.95]) == pytest.approx([0, 1])
    scaled = statistics.normalize_scores(study, [(-1.0, 1.0), (0.0, 200.0)])
    np.testing.assert_allclose(scaled["b"][1], study["b"][1] / 200)
    np.testing.assert_allclose(scaled["a"][0], (study["a"][0] + 1) / 2)
    with pytest.raises(ConfigurationError, match="zero < one"):
        statistics.normalize_scores(study, [(1.0, 1.0), (0.0, 1.0)])


def test_a_normalized_failure_is_finite_and_last() -> None:
    scores = np.array([2.0, 4.0, -INF])
    assert statistics.normalize_scores({"a": [scores]}, [(0.0, 1.0)])["a"][0] == pytest.approx([2, 4, 0])
    constant = statistics.normalize_scores({"a": [np.array([8.0, 8.0, -INF])]})["a"][0]
    assert constant[0] == constant[1] > constant[2] > -INF
    np.testing.assert_array_equal(statistics.normalize_scores({"a": [np.full(3, -INF)]})["a"][0], np.zeros(3))
