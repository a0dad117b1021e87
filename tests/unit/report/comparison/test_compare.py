"""The comparison of studies whose right answer is known."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from gan_lab.report import comparison as statistics
from gan_lab.report.comparison import Study
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.studies import INF, by_name, leaves, normal_study, rng


def test_settings_weigh_the_same_whatever_their_units() -> None:
    one = {n: [rng(i).normal(i, size=6), rng(i + 9).normal(i, size=6)] for i, n in enumerate("abc")}
    other = {name: [own[0], 1000 * own[1] - 3] for name, own in one.items()}
    first, second = (statistics.compare(study, "a", resamples=999) for study in (one, other))
    assert leaves(asdict(first)) == pytest.approx(leaves(asdict(second)))
    assert first.candidates[0].n == 12
    assert [len(scores) for scores in first.candidates[0].scores] == [6, 6]


def test_failures_are_counted_over_all_settings() -> None:
    study = {
        "a": [np.array([1.0, 2, 3, 4, -INF]), np.array([-INF, -INF, 5, 6, 7])],
        "b": [np.arange(5.0)] * 2,
    }
    found = by_name(statistics.compare(study, "b", resamples=99))
    assert (found["a"].failures, found["b"].failures) == (3, 0)
    assert math.isfinite(found["a"].minimum)


def test_a_clear_winner() -> None:
    study = normal_study(6, 10, c3=8.0)
    found = statistics.compare(study, "c0")
    best = found.candidates[0]
    assert (found.winner, found.tied, best.name) == ("c3", ["c3"], "c3")
    assert (best.rank, best.rank_interval, best.p_best, best.probability_better) == (1, (1, 1), 1.0, 1.0)
    assert best.iqm == pytest.approx(stats.trim_mean(study["c3"][0], 0.25))
    assert best.difference == pytest.approx(best.iqm - by_name(found)["c0"].iqm)
    assert best.difference_interval is not None
    assert 5 < best.difference_interval.low < best.difference < best.difference_interval.high < 11
    assert best.p_holm == pytest.approx(5e-4, rel=0.5)
    assert [one.iqm for one in found.candidates] == sorted(
        (one.iqm for one in found.candidates), reverse=True
    )
    assert sum(one.p_best for one in found.candidates) == pytest.approx(1)
    reference = by_name(found)["c0"]
    assert (reference.difference, reference.probability_better, reference.p, reference.p_holm) == (None,) * 4


def test_two_equals_above_a_worse_one_are_tied() -> None:
    found = statistics.compare(normal_study(3, 10, c0=9.0, c1=9.0), "c2")
    assert (found.winner, sorted(found.tied)) == (None, ["c0", "c1"])
    assert by_name(found)["c2"].rank_interval == (3, 3)
    assert {by_name(found)[n].rank_interval for n in ("c0", "c1")} == {(1, 2)}


CONSTANT = {name: [np.full(10, 8.0)] for name in ("a", "b", "c", "d")}


FAILED = {name: [np.full(10, -INF)] for name in ("a", "b", "c", "d")}


@pytest.mark.parametrize(("study", "value"), [(CONSTANT, 8.0), (FAILED, -INF)])
def test_when_all_score_the_same_nobody_wins(study: Study, value: float) -> None:
    found = statistics.compare(study, "b", resamples=999)
    assert found.winner is None
    assert sorted(found.tied) == ["a", "b", "c", "d"]
    assert found.pooled_sd is found.minimum_detectable_difference is found.required_seeds is None
    for one in found.candidates:
        assert (one.iqm, one.median, one.mean, one.interval) == (value, value, value, (value, value))
        assert (one.rank, one.rank_interval, one.p_best) == (1, (1, 4), 0.25)
        if one.name != "b":
            assert (one.difference, one.difference_interval) == (0, (0, 0))
            assert (one.probability_better, one.probability_better_interval, one.p, one.p_holm) == (
                0.5,
                (0.5, 0.5),
                1,
                1,
            )


def test_constant_scores_are_equal_whatever_the_number_of_seeds() -> None:
    found = statistics.compare({"a": [np.full(7, 0.1)], "b": [np.full(12, 0.1)]}, "a", resamples=999)
    assert [one.rank for one in found.candidates] == [1, 1]
    assert [one.p_best for one in found.candidates] == [0.5, 0.5]


def test_failed_seeds_rank_last_and_are_counted() -> None:
    study = {"good": [np.arange(10.0)], "lost": [np.full(10, -INF)]}
    study["half"] = [np.array([-INF] * 5 + [100.0] * 5)]
    found = statistics.compare(study, "good")
    assert [one.name for one in found.candidates] == ["good", "half", "lost"]
    half, lost = by_name(found)["half"], by_name(found)["lost"]
    assert (half.n, half.failures, half.iqm, half.maximum) == (10, 5, -INF, 100.0)
    assert half.interval == (-INF, 100.0)
    assert (lost.difference, lost.probability_better, lost.failures) == (-INF, 0.0, 10)
    assert lost.p == pytest.approx(1e-4, rel=1.5)
    assert not any(isinstance(leaf, float) and math.isnan(leaf) for leaf in leaves(asdict(found)))


def test_one_that_the_ranks_prefer_to_the_best_is_not_called_worse() -> None:
    """Two of ten far above carry no IQM, but three of ten do: the best by IQM may lose most pairs."""
    steady = np.linspace(1.0, 1.1, 20)
    found = statistics.compare(
        {"steady": [steady], "wild": [np.r_[np.zeros(14), np.full(6, 99.0)]]}, "steady"
    )
    assert found.candidates[0].name == "wild"
    assert found.winner is None
    assert found.tied == ["wild", "steady"]


def test_under_five_seeds_nothing_is_tested() -> None:
    study = normal_study(3, 4, c1=50.0)
    found = statistics.compare(study, "c0", resamples=999)
    assert found.exploratory
    assert found.winner is None
    assert len(found.tied) == 3
    assert all(one.p is None and one.p_holm is None for one in found.candidates)
    assert by_name(found)["c1"].probability_better == 1
    assert not statistics.compare(normal_study(3, 5), "c0", resamples=99).exploratory
    mixed = {"a": [np.arange(9.0)], "b": [np.arange(4.0)]}
    assert statistics.compare(mixed, "a", resamples=99).exploratory
    assert statistics.compare({"a": [np.ones(1)], "b": [np.zeros(1)]}, "a", resamples=99).exploratory


def test_smallest_effect_is_none_where_no_difference_could_be_significant() -> None:
    """Five against five have 252 arrangements: 2 / 252 is .056 after correction for seven."""
    six, seven = (statistics.compare(normal_study(1 + k, 5), "c0", resamples=999) for k in (6, 7))
    assert six.minimum_detectable_effect == statistics.minimum_detectable_effect(5, 6)
    assert six.minimum_detectable_difference == pytest.approx(
        six.minimum_detectable_effect * (six.pooled_sd or 0)
    )
    assert seven.minimum_detectable_effect is seven.minimum_detectable_difference is None
    far = statistics.compare(normal_study(8, 5, c1=99.0), "c0", resamples=999)
    assert by_name(far)["c1"].p_holm == pytest.approx(7 * 2 / 252)


def test_a_single_candidate() -> None:
    found = statistics.compare({"a": [np.arange(6.0)]}, "a", resamples=999)
    assert (found.winner, found.tied, found.selection_bias) == (None, ["a"], 0)
    assert found.minimum_detectable_effect is found.required_seeds is None
    assert (found.candidates[0].rank_interval, found.candidates[0].p_best) == ((1, 1), 1)


def test_unequal_numbers_of_seeds() -> None:
    study = {"a": [rng(1).normal(size=12)], "b": [rng(2).normal(size=5)], "c": [rng(3).normal(9, size=8)]}
    found = statistics.compare(study, "b")
    assert {one.name: one.n for one in found.candidates} == {"a": 12, "b": 5, "c": 8}
    assert found.minimum_detectable_effect == statistics.minimum_detectable_effect(5, 2)
    assert by_name(found)["c"].p == pytest.approx(2 / math.comb(13, 5))


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ({"a": [np.ones(5)], "b": [np.ones(5)]}, "'relu'.*a, b"),
        ({}, "'relu'.*none"),
        ({"relu": [np.ones(5)], "b": [np.ones(5), np.ones(5)]}, "same settings"),
        ({"relu": []}, "at least one"),
        ({"relu": [np.ones((5, 2))]}, "one number per seed"),
        ({"relu": [np.ones(0)]}, "one number per seed"),
        ({"relu": [np.array([1.0, math.nan])]}, "finite or -inf"),
        ({"relu": [np.array([1.0, INF])]}, "finite or -inf"),
    ],
)
def test_what_cannot_be_compared_is_refused(study: Study, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        statistics.compare(study, "relu")


def test_the_seed_decides_everything_and_the_order_nothing() -> None:
    study = normal_study(5, 8, c1=0.5)
    found = statistics.compare(study, "c0", resamples=499)
    assert statistics.compare(study, "c0", resamples=499) == found
    assert statistics.compare(dict(reversed(study.items())), "c0", resamples=499) == found
    other = statistics.compare(study, "c0", seed=1, resamples=499)
    assert [one.interval for one in other.candidates] != [one.interval for one in found.candidates]
    assert (found.seed, other.seed, found.resamples, found.level) == (0, 1, 499, 0.95)


def test_another_candidate_does_not_move_intervals_and_p() -> None:
    study = normal_study(5, 8)
    few = by_name(statistics.compare({name: study[name] for name in ("c0", "c3")}, "c0", resamples=499))
    many = by_name(statistics.compare(study, "c0", resamples=499))
    for field in ("interval", "difference_interval", "probability_better_interval", "p"):
        assert getattr(few["c3"], field) == getattr(many["c3"], field)


def test_a_comparison_is_plain_and_becomes_json() -> None:
    found = asdict(statistics.compare(normal_study(3, 6), "c0", resamples=99))
    assert {type(leaf) for leaf in leaves(found)} == {str, int, float, bool, type(None)}
    assert json.loads(json.dumps(found, allow_nan=False))["candidates"][0]["rank"] == 1
