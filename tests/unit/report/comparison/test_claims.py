"""The two claims, who is the winner and who scored worse, where the right answer is known."""

import math

import numpy as np
import pytest

from gan_lab.report.comparison import permutation_test, smallest_seeds, winner_test, worse_test
from gan_lab.report.comparison.brunner_munzel import brunner_munzel
from gan_lab.report.comparison.claims import plan_seeds, seeds_of_pair
from gan_lab.report.comparison.permutation import untied_maxima
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import INF, normal_scores


def spread_out(candidates: int, seeds: int) -> dict[str, Floats]:
    """Candidates a, b, ... that do not overlap, best first."""
    return {chr(97 + i): np.arange(seeds) / seeds - i for i in range(candidates)}


# Seeds


def test_seeds_of_a_pair_are_made_alike_where_one_has_more_than_half_as_many_again() -> None:
    assert seeds_of_pair(10, 10) == (10, 10)
    assert seeds_of_pair(9, 6) == (9, 6)
    assert seeds_of_pair(10, 6) == (6, 6)
    assert seeds_of_pair(5, 20) == (5, 5)


def test_the_joint_test_takes_the_first_seeds_and_leaves_out_who_makes_it_powerless() -> None:
    assert plan_seeds({"a": 10, "b": 10}) == ({"a": 10, "b": 10}, {})
    assert plan_seeds({"a": 6, "b": 9}) == ({"a": 6, "b": 9}, {})
    assert plan_seeds({"a": 6, "b": 10, "c": 20}) == ({"a": 6, "b": 6, "c": 6}, {})
    # Ten candidates need seven seeds each: one with five is left out, and nine with 20 keep theirs.
    nine = {f"c{i}": 20 for i in range(9)}
    assert plan_seeds(nine | {"few": 5}) == (nine, {"few": 5})
    # Under five seeds no test takes anybody, and it takes nothing from others.
    assert plan_seeds({"a": 10, "b": 10, "few": 4}) == ({"a": 10, "b": 10}, {"few": 4})
    assert plan_seeds({f"c{i}": 5 for i in range(7)}) == ({}, {f"c{i}": 5 for i in range(7)})
    assert plan_seeds({"a": 30, "b": 4}) == ({}, {"a": 30, "b": 4})
    assert plan_seeds({}) == ({}, {})


# The winner


def test_a_winner_beats_everybody_without_correction() -> None:
    test = winner_test(spread_out(7, 5))
    assert (test.leader, test.winner, test.exploratory) == ("a", "a", [])
    assert test.p == pytest.approx(2 / math.comb(10, 5))
    assert test.p_values == dict.fromkeys("bcdefg", test.p)
    assert set(test.seeds.values()) == {(5, 5)}


def test_p_is_the_largest_of_the_tests_against_everybody() -> None:
    scores = normal_scores(4, 9, c0=1.0, c1=0.3)
    test = winner_test(scores)
    assert test.leader == "c0"
    expected = {name: permutation_test(scores["c0"], scores[name]) for name in ("c1", "c2", "c3")}
    assert test.p_values == expected
    assert test.p == max(expected.values())
    assert (test.winner is not None) == (test.p <= 0.05)


def test_nobody_wins_where_two_are_equal_or_all_diverged() -> None:
    for scores in (np.full(10, 8.0), np.full(10, -INF)):
        test = winner_test({"a": scores, "b": scores, "c": scores - 1})
        assert (test.leader, test.winner, test.p) == (None, None, None)
    test = winner_test({"a": np.full(10, 8.0), "b": np.full(10, -INF)})
    assert test.winner == "a"


def test_one_with_unequal_seeds_is_compared_on_the_first_of_both() -> None:
    """Beyond the fifth seed the leader's scores are not looked at in this pair."""
    scores = {
        "a": np.r_[np.arange(5.0) + 9, np.full(15, 20.0)],
        "b": np.arange(5.0),
        "c": np.arange(20.0) - 30,
    }
    test = winner_test(scores)
    assert test.seeds == {"b": (5, 5), "c": (20, 20)}
    assert test.p_values["b"] == pytest.approx(2 / 252)
    assert test.winner == "a"


def test_an_exploratory_candidate_is_not_tested_but_nobody_wins_below_it() -> None:
    scores = spread_out(3, 8)
    test = winner_test(scores | {"few": np.full(4, -9.0)})
    assert (test.winner, test.exploratory) == ("a", ["few"])
    assert "few" not in test.p_values
    assert winner_test(scores | {"few": np.full(4, 9.0)}).winner is None
    assert winner_test({"a": np.ones(9), "few": np.zeros(4)}).p is None


def test_the_leader_by_iqm_that_loses_most_pairs_is_no_winner_and_its_rival_not_worse() -> None:
    """Two of ten far above carry no IQM, but six of twenty do."""
    scores = {"steady": np.linspace(1.0, 1.1, 20), "wild": np.r_[np.zeros(14), np.full(6, 99.0)]}
    test = winner_test(scores)
    assert (test.leader, test.winner, test.p) == ("wild", None, 1.0)
    assert worse_test(scores).worse == []


# Who scored worse


def test_who_does_not_overlap_scored_worse_in_one_step() -> None:
    test = worse_test(spread_out(4, 8))
    assert test.worse == ["b", "c", "d"]
    assert set(test.beaten_by.values()) <= {"a", "b", "c"}
    assert (test.seeds, test.shortened, test.too_few) == (dict.fromkeys("abcd", 8), False, {})
    assert test.p_values["a"] > 0.05
    # Full separation of some pair is as rare as 4 * 3 / C(16, 8).
    null = untied_maxima(4, 8)[:, -1]
    assert test.p_values["d"] == pytest.approx((1 + np.isinf(null).sum()) / (len(null) + 1))
    assert test.permutations == len(null)


def test_two_equals_above_others_are_not_worse() -> None:
    scores = normal_scores(5, 8, seed=1, c0=9.0, c1=9.0)
    assert sorted(worse_test(scores).worse) == ["c2", "c3", "c4"]


def test_the_second_step_finds_what_the_first_does_not() -> None:
    """With fewer left, less is asked of a difference."""
    scores = {"a": np.arange(8.0) + 3.5, "b": np.arange(8.0)}
    scores |= {f"c{i}": np.arange(8.0) - 100 + i / 9 for i in range(5)}
    test = worse_test(scores)
    assert test.critical is not None
    t_of_pair = untied_maxima(2, 8)[:, 1]
    t = float(brunner_munzel([scores["a"], scores["b"]])[0, 1])
    assert np.quantile(t_of_pair, 0.95) < t < test.critical
    assert test.worse == [*sorted(test.worse[:5]), "b"]
    assert max(test.p_values[name] for name in test.worse[:5]) <= test.p_values["b"] <= 0.05
    assert worse_test({"a": scores["a"], "b": scores["b"]}).p_values["b"] == test.p_values["b"]


@pytest.mark.parametrize(("candidates", "seeds"), [(3, 4), (5, 5), (7, 5), (17, 7)])
def test_below_the_smallest_number_of_seeds_nobody_scored_worse(candidates: int, seeds: int) -> None:
    test = worse_test(spread_out(candidates, seeds))
    assert (test.worse, test.critical, test.p_values) == ([], None, {})
    assert test.smallest_seeds == smallest_seeds(candidates)
    assert test.too_few == dict.fromkeys(spread_out(candidates, seeds), seeds)
    enough = worse_test(spread_out(candidates, test.smallest_seeds))
    assert enough.worse == list(spread_out(candidates, 5))[1:]


def test_ties_and_diverged_seeds_are_legal() -> None:
    modes = {"a": np.full(8, 8.0), "b": np.full(8, 8.0), "c": np.array([8, 7, 6, 7, 7, 6, 7, 7.0])}
    modes["d"] = np.full(8, -INF)
    test = worse_test(modes)
    assert test.worse == ["c", "d"]
    assert test.p_values["a"] == test.p_values["b"] == 1
    same = worse_test(dict.fromkeys("abc", np.full(9, 3.0)))
    assert (same.worse, set(same.p_values.values())) == ([], {1.0})


def test_one_that_diverges_in_three_of_ten_seeds_and_is_the_best_otherwise_is_not_worse() -> None:
    scores = normal_scores(4, 10) | {"torn": np.r_[np.full(3, -INF), np.arange(7.0) + 5]}
    assert worse_test(scores).worse == []
    assert winner_test(scores).winner is None


def test_unequal_numbers_of_seeds_are_shortened_and_the_test_says_so() -> None:
    scores = {"a": np.arange(12.0) + 20, "b": np.arange(7.0), "c": np.arange(9.0) - 20}
    test = worse_test(scores)
    assert (test.seeds, test.shortened) == (dict.fromkeys("abc", 7), True)
    assert test.worse == ["b", "c"]
    mild = worse_test({"a": np.arange(9.0) + 20, "b": np.arange(7.0)})
    assert (mild.seeds, mild.shortened, mild.worse) == ({"a": 9, "b": 7}, False, ["b"])


def test_the_seed_decides_everything_and_the_order_of_candidates_nothing() -> None:
    scores = {name: np.round(s) for name, s in normal_scores(5, 8, c1=1.5).items()}
    test = worse_test(scores)
    assert worse_test(dict(reversed(scores.items()))) == test
    assert worse_test(scores, seed=1).p_values != test.p_values
