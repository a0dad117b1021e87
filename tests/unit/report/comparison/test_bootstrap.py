"""Bootstrap intervals against scipy, and where scores are constant or -inf."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from gan_lab.report import comparison as statistics
from gan_lab.report.comparison.bootstrap import Resamples, percentile_interval, resampled_probability_better
from gan_lab.report.comparison.scores import Floats, interquartile_means
from tests.helpers.studies import INF, rng


def test_interval_agrees_with_scipys_stratified_percentile_bootstrap() -> None:
    strata = (rng(1).normal(size=12), rng(2).normal(3, 2, size=9))
    found = statistics.bootstrap_interval(strata, interquartile_means, rng=rng(3), resamples=40_000)

    def pooled(*samples: Floats, axis: int) -> Any:
        return stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)

    expected = stats.bootstrap(strata, pooled, method="percentile", n_resamples=40_000, rng=rng(4))
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.04)  # about 4 Monte Carlo errors


def test_interval_ends_are_the_250th_of_9999() -> None:
    assert percentile_interval(rng().permutation(9_999).astype(float), 0.95) == (249.0, 9_749.0)


def test_interval_of_failures_is_never_nan() -> None:
    half = np.array([-INF] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0])
    low, high = statistics.bootstrap_interval([half], interquartile_means, rng=rng())
    assert low == -INF
    assert 1 <= high <= 5
    assert statistics.bootstrap_interval([np.full(4, -INF)], interquartile_means, rng=rng()) == (-INF, -INF)


def test_interval_of_constant_scores_is_the_constant() -> None:
    assert statistics.bootstrap_interval([np.full(7, 0.1)], interquartile_means, rng=rng()) == (0.1, 0.1)


def test_improvement_is_mann_whitneys_u_over_the_pairs() -> None:
    x, y = rng(1).integers(0, 6, 9).astype(float), rng(2).integers(0, 6, 7).astype(float)
    u = stats.mannwhitneyu(x, y).statistic
    assert statistics.probability_better([x], [y]) == pytest.approx(u / 63)
    failed = np.full(2, -INF)
    assert statistics.probability_better([failed], [failed]) == 0.5
    assert statistics.probability_better([x, failed], [y, np.zeros(3)]) == pytest.approx(u / 126)


def test_resampled_improvements_are_those_of_the_resampled_scores() -> None:
    x = Resamples.draw([rng(1).integers(0, 4, 6) * 1.0, rng(2).normal(size=5)], 20, rng(3))
    y = Resamples.draw([rng(4).integers(0, 4, 8) * 1.0, rng(5).normal(size=4)], 20, rng(6))
    for b, found in enumerate(resampled_probability_better(x, y)):
        pairs = [
            stats.mannwhitneyu(x.scores[k][x.indices[k][b]], y.scores[k][y.indices[k][b]]).statistic
            / (len(x.scores[k]) * len(y.scores[k]))
            for k in range(2)
        ]
        assert found == pytest.approx(np.mean(pairs))
