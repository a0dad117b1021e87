"""Several settings: overall winners, vetoes and reversals, where the right answer is known."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import Scale, compare, compare_settings, overall_test
from gan_lab.report.comparison.scores import Floats
from gan_lab.report.comparison.welch import welch_maxima, welch_statistics
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.studies import INF, leaves, rng

FID = Scale(-400.0, -19.0)


def costs(seeds: int, share: float, **centers: list[float]) -> dict[str, list[Floats]]:
    """Costs around centers per setting, with a standard deviation of a share of each, as oriented scores."""
    draw = rng(seeds)
    return {
        name: [-draw.normal(c, share * c, size=seeds) for c in values] for name, values in centers.items()
    }


# The statistic


def test_the_statistic_is_welchs_in_one_setting_and_adds_variances_over_several() -> None:
    x, y, z = rng(1).normal(size=6), rng(2).normal(1, 2, size=9), rng(3).normal(size=7)
    t = welch_statistics([[x, y, z]])
    assert t[0, 1] == pytest.approx(stats.ttest_ind(x, y, equal_var=False).statistic)
    assert t[2, 1] == pytest.approx(stats.ttest_ind(z, y, equal_var=False).statistic)
    two = welch_statistics([[x, y], [y, z]])
    error = sum(s.var(ddof=1) / len(s) for s in (x, y, y, z))
    assert two[0, 1] == pytest.approx((x.mean() - y.mean() + y.mean() - z.mean()) / np.sqrt(error))
    constant = welch_statistics([[np.zeros(4), np.zeros(4), np.ones(4)]])
    assert (constant[0, 1], constant[2, 0], constant[0, 2]) == (0, INF, -INF)


def test_shuffles_stay_within_settings() -> None:
    """Scores of settings that lie far apart do not mix: all arrangements within both are listed."""
    first, second = (
        [np.array([0.0, 1.0]), np.array([2.0, 4.0])],
        [np.array([90.0, 90.5]), np.array([91.0, 93.0])],
    )
    exact = []
    for a in ([0, 1], [0, 2], [0, 3]):
        for b in ([0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]):
            halves = []
            for setting, chosen in ((first, a), (second, b)):
                pooled = np.concatenate(setting)
                halves.append([pooled[chosen], np.delete(pooled, chosen)])
            exact.append(abs(welch_statistics(halves)[0, 1]))
    null = welch_maxima([first, second], rng(1))
    for t in (0.5, 1.0, 2.0, 3.0):
        share = np.mean(np.array(exact) >= t)
        assert np.mean(null >= t) == pytest.approx(share, abs=4 * 0.5 / np.sqrt(len(null)))


# The verdict


def test_one_that_is_best_everywhere_wins() -> None:
    comparison = compare_settings(
        costs(8, 0.05, elu=[90, 60, 120], relu=[140, 100, 200], tanh=[150, 110, 220]),
        [FID] * 3,
        "relu",
        resamples=999,
    )
    assert (comparison.winner, comparison.tied) == ("elu", ["elu"])
    assert comparison.worse == ["relu", "tanh"]
    best = comparison.candidates[0]
    assert (best.name, best.rank, best.rank_interval, best.p_best, best.leads) == (
        "elu",
        1,
        (1, 1),
        1,
        [0, 1, 2],
    )
    assert (best.seeds, best.diverged) == ([8, 8, 8], 0)
    assert best.iqm == pytest.approx((400 - 90) / 381, abs=0.05)
    assert best.difference_interval is not None
    assert best.difference_interval.low > 0
    assert best.probability_better == 1
    assert comparison.test.p is not None
    assert comparison.test.p <= 0.05
    assert (comparison.test.behind, comparison.reversals, comparison.test.shortened) == ([], [], [])
    assert [one.winner for one in comparison.settings] == ["elu"] * 3
    assert json.loads(json.dumps(asdict(comparison), allow_nan=False))["winner"] == "elu"


def test_one_that_is_worst_by_far_in_one_of_four_settings_does_not_win() -> None:
    study = costs(10, 0.05, elu=[90, 90, 90, 2000], relu=[100] * 4, tanh=[100] * 4)
    comparison = compare_settings(study, [FID] * 4, "relu", resamples=999)
    assert comparison.winner is None
    reversal = next(r for r in comparison.reversals if r.name == "elu")
    assert (reversal.leads, reversal.behind) == ([0, 1, 2], [3])
    assert [one.winner for one in comparison.settings[:3]] == ["elu"] * 3
    assert "elu" in comparison.settings[3].worse


def test_a_leader_on_the_average_that_is_behind_somewhere_does_not_win() -> None:
    study = costs(10, 0.02, elu=[60, 60, 104], relu=[200, 200, 100], tanh=[210, 210, 210])
    test = overall_test(study, [FID] * 3)
    assert (test.leader, test.winner) == ("elu", None)
    assert sorted(test.worse) == ["relu", "tanh"]
    (behind,) = test.behind
    assert (behind.setting, behind.rival) == (2, "relu")
    assert behind.p is not None
    assert behind.significant == (behind.p <= 0.05)


def test_a_hopeless_candidate_changes_nothing_between_two_others() -> None:
    draw = rng(3)
    a = [-draw.normal(100, 5, size=10), -draw.normal(50, 5, size=10)]
    b = [-draw.normal(104, 5, size=10), -draw.normal(52, 5, size=10)]
    hopeless = [np.full(10, -1e9), -draw.normal(54, 5, size=10)]
    scales = [Scale(-400.0, -19.0), Scale(-300.0, -19.0)]
    without = compare_settings({"a": a, "b": b}, scales, "a", resamples=999)
    beside = compare_settings({"a": a, "b": b, "c": hopeless}, scales, "a", resamples=999)
    for one, other in zip(without.candidates, beside.candidates[:2], strict=True):
        assert one.name == other.name
        for field in ("iqm", "interval", "difference", "probability_better", "rank", "rank_interval"):
            assert getattr(one, field) == getattr(other, field)
        assert one.p_best == pytest.approx(other.p_best, abs=1e-12)
    assert beside.candidates[2].name == "c"


def test_diverged_seeds_score_like_untrained_generators_on_the_average_and_are_counted() -> None:
    study = {"a": [np.array([-50.0, -50, -50, -50, -INF])] * 2, "b": [np.full(5, -100.0)] * 2}
    comparison = compare_settings(study, [FID] * 2, "b", resamples=99)
    assert {one.name: one.diverged for one in comparison.candidates} == {"a": 2, "b": 0}
    assert FID(study["a"][0]).min() == 0
    lost = compare_settings(
        {"a": [np.full(5, -INF)] * 2, "b": [np.full(5, -100.0)] * 2}, [FID] * 2, "b", resamples=99
    )
    assert lost.candidates[-1].iqm == 0
    assert not any(isinstance(leaf, float) and np.isnan(leaf) for leaf in leaves(asdict(lost)))


def test_under_five_seeds_in_some_setting_a_candidate_is_not_tested() -> None:
    draw = rng(1)
    study = {"a": [draw.normal(9, 1, size=8)] * 2, "b": [draw.normal(5, 1, size=8)] * 2}
    study["few"] = [draw.normal(1, 1, size=8), draw.normal(1, 1, size=4)]
    test = overall_test(study, [Scale(0.0, 20.0)] * 2)
    assert (test.untested, test.winner, list(test.p_values)) == (["few"], "a", ["a", "b"])
    study["few"] = [draw.normal(12, 1, size=8), draw.normal(1, 1, size=4)]
    ahead = overall_test(study, [Scale(0.0, 20.0)] * 2)
    assert ahead.winner is None
    assert ("few", 0) in {(b.rival, b.setting) for b in ahead.behind}


def test_unequal_seeds_are_shortened_in_their_setting() -> None:
    draw = rng(1)
    study = {"a": [draw.normal(9, 1, size=20), draw.normal(9, 1, size=8)]}
    study["b"] = [draw.normal(1, 1, size=8), draw.normal(1, 1, size=8)]
    test = overall_test(study, [Scale(0.0, 20.0)] * 2)
    assert (test.shortened, test.winner) == ([0], "a")


def test_each_setting_is_compared_by_itself() -> None:
    study = costs(6, 0.1, a=[100, 50], b=[120, 40])
    comparison = compare_settings(study, [FID] * 2, "b", direction="min", resamples=199)
    for k, one in enumerate(comparison.settings):
        alone = compare({name: s[k] for name, s in study.items()}, "b", direction="min", resamples=199)
        assert one == alone


def test_scales_must_be_as_many_as_settings() -> None:
    with pytest.raises(ConfigurationError, match="2 settings need as many scales, got 1"):
        compare_settings({"a": [np.ones(5)] * 2}, [FID], "a")
    with pytest.raises(ConfigurationError, match="same settings"):
        compare_settings({"a": [np.ones(5)] * 2, "b": [np.ones(5)]}, [FID] * 2, "a")
