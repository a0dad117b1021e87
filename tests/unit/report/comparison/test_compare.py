"""The comparison of studies whose right answer is known."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import Margin, compare, holm, permutation_test, required_seeds
from gan_lab.report.comparison.scores import Floats
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.studies import INF, by_name, leaves, normal_scores, rng


def test_a_clear_winner() -> None:
    scores = normal_scores(6, 10, c3=8.0)
    comparison = compare(scores, "c0")
    best, reference = comparison.candidates[0], by_name(comparison)["c0"]
    assert (comparison.winner, comparison.tied, best.name) == ("c3", ["c3"], "c3")
    assert sorted(comparison.worse) == ["c0", "c1", "c2", "c4", "c5"]
    assert (best.rank, best.rank_interval, best.p_best, best.probability_better) == (1, (1, 1), 1.0, 1.0)
    assert best.iqm == pytest.approx(stats.trim_mean(scores["c3"], 0.25))
    assert best.difference == pytest.approx(best.iqm - reference.iqm)
    assert best.difference_interval is not None
    assert 5 < best.difference_interval.low < best.difference < best.difference_interval.high < 11
    assert best.p_holm == pytest.approx(5e-4, rel=0.5)
    iqms = [one.iqm for one in comparison.candidates]
    assert iqms == sorted(iqms, reverse=True)
    assert sum(one.p_best or 0 for one in comparison.candidates) == pytest.approx(1)
    assert not comparison.exploratory
    for field in ("difference", "ratio", "probability_better", "p", "p_holm", "probability_better_interval"):
        assert getattr(reference, field) is None
    assert best.p_winner is best.required_seeds is best.minimum_detectable_effect is None
    assert reference.p_winner == comparison.winner_test.p_values["c0"] <= 0.05
    assert reference.p_worse == comparison.worse_test.p_values["c0"] <= 0.05


def test_two_equals_above_a_worse_one_are_tied() -> None:
    comparison = compare(normal_scores(3, 10, c0=9.0, c1=9.0), "c2")
    assert (comparison.winner, sorted(comparison.tied), comparison.worse) == (None, ["c0", "c1"], ["c2"])
    assert by_name(comparison)["c2"].rank_interval == (3, 3)
    assert {by_name(comparison)[n].rank_interval for n in ("c0", "c1")} == {(1, 2)}
    assert not comparison.all_equal


@pytest.mark.parametrize("value", [8.0, -INF])
def test_where_all_score_the_same_all_are_equal_and_nobody_wins(value: float) -> None:
    comparison = compare(dict.fromkeys("abcd", np.full(10, value)), "b", resamples=999)
    assert comparison.all_equal
    assert comparison.winner is None
    assert sorted(comparison.tied) == ["a", "b", "c", "d"]
    assert comparison.pooled_sd is comparison.selection_bias_difference is None
    for one in comparison.candidates:
        assert (one.iqm, one.median, one.mean, one.interval) == (value, value, value, (value, value))
        assert one.rank == 1
        assert (one.rank_interval, one.p_best) == (((1, 4), 0.25) if value > 0 else (None, None))
        # .95 sure that at most a quarter of seeds differ: .74^10 = .05.
        assert one.may_differ == pytest.approx(0.259, abs=0.001)
        assert one.minimum_detectable_difference is one.required_seeds is None
        if one.name != "b":
            assert (one.difference, one.difference_interval) == (0, (0, 0))
            assert (one.probability_better, one.p, one.p_holm) == (0.5, 1, 1)
            assert one.probability_better_interval is not None
            assert one.probability_better_interval.low < 0.3 < 0.7 < one.probability_better_interval.high


def test_one_that_diverges_in_three_of_ten_seeds_and_is_the_best_otherwise() -> None:
    """Its place, rank interval and P(best) agree, and its other seeds are told."""
    scores = normal_scores(3, 10) | {"torn": np.r_[np.full(3, -INF), np.arange(7.0) + 5]}
    comparison = compare(scores, "c0")
    torn = comparison.candidates[-1]
    assert (torn.name, torn.rank, torn.rank_interval, torn.p_best) == ("torn", 4, None, None)
    assert (torn.diverged, torn.iqm, torn.finite_iqm, torn.maximum) == (3, -INF, 8.0, 11.0)
    assert torn.probability_better == pytest.approx(0.7, abs=0.001)
    assert torn.interval.low == -INF
    assert comparison.winner is None
    assert comparison.worse == []
    assert not any(isinstance(leaf, float) and math.isnan(leaf) for leaf in leaves(asdict(comparison)))


def test_all_diverged_is_worse_than_any_number() -> None:
    comparison = compare({"good": np.arange(10.0), "lost": np.full(10, -INF)}, "good")
    lost = by_name(comparison)["lost"]
    assert (lost.difference, lost.probability_better, lost.diverged, lost.finite_iqm) == (-INF, 0, 10, None)
    assert (comparison.winner, comparison.worse) == ("good", ["lost"])
    assert lost.p == pytest.approx(1e-4, rel=1.5)


def test_equal_scores_are_equal_whatever_the_number_of_seeds() -> None:
    comparison = compare({"a": np.full(7, 0.1), "b": np.full(12, 0.1)}, "a", resamples=999)
    assert comparison.all_equal
    assert [(one.rank, one.p_best) for one in comparison.candidates] == [(1, 0.5), (1, 0.5)]


def test_tests_against_the_reference_are_corrected_for_their_number() -> None:
    scores = normal_scores(4, 8, c1=1.0, c2=2.0)
    found = by_name(compare(scores, "c0", resamples=199))
    names = ["c1", "c2", "c3"]
    p = [permutation_test(scores[name], scores["c0"]) for name in names]
    assert [found[name].p for name in names] == p
    assert [found[name].p_holm for name in names] == holm(p)


def test_ratios_are_those_of_costs() -> None:
    cost = {name: rng(i).lognormal(i, 0.1, size=10) for i, name in enumerate("ab")}
    found = by_name(compare({name: -own for name, own in cost.items()}, "a", direction="min"))
    expected = math.exp(stats.trim_mean(np.log(cost["b"]), 0.25) - stats.trim_mean(np.log(cost["a"]), 0.25))
    assert found["b"].ratio == pytest.approx(expected)
    assert found["b"].ratio_interval is not None
    assert 2 < found["b"].ratio_interval.low < expected < found["b"].ratio_interval.high < 4
    assert by_name(compare(cost, "a"))["b"].ratio is None
    negative = {"a": np.arange(8.0) - 5, "b": np.arange(8.0)}
    assert by_name(compare(negative, "a", direction="min"))["b"].ratio is None
    diverged = {"a": -cost["a"], "b": np.full(10, -INF)}
    assert by_name(compare(diverged, "a", direction="min"))["b"].ratio == INF


# Few and unequal seeds


def test_one_candidate_with_four_seeds_does_not_take_the_tests_from_others() -> None:
    scores = normal_scores(5, 10, c1=8.0) | {"few": rng(9).normal(-3, 1, size=4)}
    comparison = compare(scores, "c0", resamples=999)
    few = by_name(comparison)["few"]
    assert (comparison.winner, comparison.exploratory, few.exploratory) == ("c1", False, True)
    assert few.p is few.p_holm is few.p_worse is few.p_winner is few.minimum_detectable_effect is None
    assert not few.worse
    assert few.probability_better is not None
    assert by_name(comparison)["c2"].p is not None
    assert comparison.worse_test.too_few == {"few": 4}


def test_under_five_seeds_each_nothing_is_tested() -> None:
    comparison = compare(normal_scores(3, 4, c1=50.0), "c0", resamples=999)
    assert comparison.exploratory
    assert comparison.winner is None
    assert len(comparison.tied) == 3
    assert all(one.p is None and one.p_worse is None for one in comparison.candidates)
    assert by_name(comparison)["c1"].probability_better == 1
    assert not compare(normal_scores(3, 5), "c0", resamples=99).exploratory
    assert compare({"a": np.arange(9.0), "b": np.arange(4.0)}, "a", resamples=99).exploratory
    assert compare({"a": np.ones(1), "b": np.zeros(1)}, "a", resamples=99).exploratory


def test_power_is_that_of_each_comparison_by_itself() -> None:
    """Nine with 20 seeds and one with five: only of the latter no difference could be shown."""
    scores = normal_scores(9, 20, c0=5.0) | {"few": rng(9).normal(size=5)}
    comparison = compare(scores, "c1", resamples=999)
    assert comparison.winner == "c0"
    assert comparison.winner_test.seeds["few"] == (5, 5)
    found = by_name(comparison)
    assert found["few"].minimum_detectable_effect is None
    assert comparison.worse_test.too_few == {"few": 5}
    effects = {found[f"c{i}"].minimum_detectable_effect for i in range(1, 9)}
    (effect,) = effects
    assert effect is not None
    assert 1.0 < effect < 1.8
    assert found["c2"].minimum_detectable_difference == pytest.approx(effect * (comparison.pooled_sd or 0))
    assert found["c2"].required_seeds == required_seeds(scores["c0"], scores["c2"])


def test_intervals_of_five_seeds_say_what_they_reach() -> None:
    comparison = compare({"a": rng(1).normal(size=12), "b": rng(2).normal(size=5)}, "b", resamples=999)
    assert {one.name: (one.n, one.interval_level) for one in comparison.candidates} == {
        "a": (12, 0.95),
        "b": (5, 0.9375),
    }
    assert by_name(comparison)["a"].may_differ is None


def test_a_margin_adds_the_test_of_equivalence() -> None:
    scores = normal_scores(3, 20, c2=-9.0)
    comparison = compare(scores, "c0", margin=Margin(3.0), resamples=99)
    assert {one.name: one.equivalent for one in comparison.candidates} == {
        "c0": True,
        "c1": True,
        "c2": False,
    }
    assert comparison.equivalence_test is not None
    assert by_name(comparison)["c2"].p_equivalent == comparison.equivalence_test.p_values["c2"]
    assert comparison.equivalence_test.p_values["c2"] == pytest.approx(1)
    without = compare(scores, "c0", resamples=99)
    assert without.equivalence_test is without.candidates[0].equivalent is None


def test_a_single_candidate() -> None:
    comparison = compare({"a": np.arange(6.0)}, "a", resamples=999)
    assert (comparison.winner, comparison.tied, comparison.selection_bias) == (None, ["a"], 0)
    assert (comparison.candidates[0].rank_interval, comparison.candidates[0].p_best) == ((1, 1), 1)
    assert comparison.winner_test.p is None


# What is refused, and what is plain


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"a": np.ones(5), "b": np.ones(5)}, "'relu'.*a, b"),
        ({}, "'relu'.*none"),
        ({"relu": np.ones((5, 2))}, "one number per seed"),
        ({"relu": np.ones(0)}, "one number per seed"),
        ({"relu": np.array([1.0, math.nan])}, "finite or -inf"),
        ({"relu": np.array([1.0, INF])}, "finite or -inf"),
    ],
)
def test_what_cannot_be_compared_is_refused(scores: dict[str, Floats], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        compare(scores, "relu")


def test_the_seed_decides_everything_and_the_order_nothing() -> None:
    scores = normal_scores(5, 8, c1=0.5)
    comparison = compare(scores, "c0", resamples=499)
    assert compare(scores, "c0", resamples=499) == comparison
    assert compare(dict(reversed(scores.items())), "c0", resamples=499) == comparison
    other = compare(scores, "c0", seed=1, resamples=499)
    assert [one.interval for one in other.candidates] != [one.interval for one in comparison.candidates]
    assert (comparison.seed, other.seed, comparison.resamples, comparison.level) == (0, 1, 499, 0.95)


def test_another_candidate_does_not_move_intervals_and_p() -> None:
    scores = normal_scores(5, 8)
    few = by_name(compare({name: scores[name] for name in ("c0", "c3")}, "c0", resamples=499))
    many = by_name(compare(scores, "c0", resamples=499))
    for field in ("interval", "difference_interval", "probability_better_interval", "p"):
        assert getattr(few["c3"], field) == getattr(many["c3"], field)


def test_a_comparison_is_plain_and_becomes_json() -> None:
    plain = asdict(compare(normal_scores(3, 6), "c0", margin=Margin(1.0), resamples=99))
    assert {type(leaf) for leaf in leaves(plain)} <= {str, int, float, bool, type(None)}
    assert json.loads(json.dumps(plain, allow_nan=False))["candidates"][0]["rank"] == 1
