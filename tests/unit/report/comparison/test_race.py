"""The looks of a race, their levels, and what a look decides."""

import numpy as np
import pytest

from gan_lab.report.comparison import Margin
from gan_lab.report.comparison.race import Look, Race, p_equivalent, p_worse, plan_race, take_look
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.studies import normal_scores


@pytest.mark.parametrize(
    ("candidates", "seeds", "looks"),
    [(2, 32, (8, 16, 32)), (7, 32, (8, 16, 32)), (17, 32, (9, 18, 32)), (7, 24, (7, 14, 24)), (2, 5, (5,))],
)
def test_looks_double_from_the_first_that_can_reject(
    candidates: int, seeds: int, looks: tuple[int, ...]
) -> None:
    plan = plan_race(candidates, seeds)
    assert plan.looks == looks
    assert sum(plan.levels) == pytest.approx(0.05)
    # Linear spending: the level of a look is alpha times the share of seeds since the last one.
    before = 0
    for n, level in zip(plan.looks, plan.levels, strict=True):
        assert level == pytest.approx(0.05 * (n - before) / seeds)
        before = n


def test_too_few_seeds_for_so_many_candidates_are_refused_with_their_number() -> None:
    with pytest.raises(
        ConfigurationError, match=r"race\.seeds must be at least 8 for 17 candidates.*, got 6"
    ):
        plan_race(17, 6)
    assert plan_race(17, 8).looks == (8,)


def test_whoever_does_not_overlap_is_out_at_the_first_look_and_the_last_one_left_wins() -> None:
    scores = {name: values[:, None].ravel() for name, values in normal_scores(7, 32, c3=30.0).items()}
    race = Race(list(scores), plan_race(7, 32))
    look = race.take_look(scores)
    assert look.seeds == 8
    assert set(look.dropped) == set(scores) - {"c3"}
    assert set(look.dropped.values()) == {"c3"}
    assert (race.survivors, race.end) == (["c3"], "winner")
    adjusted = p_worse(race.looks, 0.05)
    assert all(adjusted[name] <= 0.05 for name in look.dropped)
    assert adjusted["c3"] > 0.05


def test_equals_go_on_to_the_last_look_and_only_first_seeds_count() -> None:
    rng = np.random.default_rng(3)
    scores = {name: rng.standard_normal(40) for name in "ab"}
    race = Race(["a", "b"], plan_race(2, 32))
    seeds = []
    while not race.end:
        seeds.append(race.take_look(scores).seeds)
    assert seeds == [8, 16, 32]
    assert (race.survivors, race.end) == (["a", "b"], "seeds")


def test_a_margin_ends_a_race_of_equivalents() -> None:
    rng = np.random.default_rng(4)
    scores = {name: rng.standard_normal(32) for name in "abc"}
    race = Race(list("abc"), plan_race(3, 32))
    look = race.take_look(scores, margin=Margin(10.0))
    assert look.equivalent
    assert race.end == "equivalent"
    assert max(p_equivalent(race.looks, 0.05).values()) <= 0.05
    assert take_look(scores, 0.01, margin=Margin(0.01)).equivalent is False


def test_diverged_seeds_rank_last_and_are_never_left_out() -> None:
    rng = np.random.default_rng(5)
    scores = {"a": rng.standard_normal(32), "b": np.full(32, -np.inf)}
    assert take_look({name: s[:8] for name, s in scores.items()}, 0.0125).dropped == {"b": "a"}


def test_p_values_are_adjusted_by_the_share_of_alpha_of_their_look() -> None:
    looks = [Look(8, 0.0125, {"a": 0.5, "b": 0.02, "c": 0.01}, {"c": "a"}), Look(16, 0.0375, {"a": 1.0, "b": 0.03}, {"b": "a"})]  # fmt: skip  # noqa: E501
    assert p_worse(looks, 0.05) == pytest.approx({"a": 1.0, "b": 0.04, "c": 0.04})
