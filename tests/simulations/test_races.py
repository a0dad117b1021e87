"""How often a race drops one of the equally best, and what it costs to find the winner."""

import numpy as np
import pytest

from gan_lab.report.comparison import permutation as permutation_module
from gan_lab.report.comparison.race import Race, plan_race
from gan_lab.report.comparison.scores import Floats
from tests.helpers.simulation import (
    Draw,
    at_least,
    at_most,
    diverging,
    half_noisy,
    lognormal,
    named,
    normal,
    one_noisy,
)

SEEDS = 32
# The digits study of the README: IQMs of fid over ten seeds, and spreads that its intervals imply.
DIGITS_FID = np.array([103.0, 120.0, 124.0, 180.0, 291.0, 425.0, 899.0])
DIGITS_SPREAD = np.array([6.5, 15.0, 11.0, 39.0, 30.0, 25.0, 88.0])


def raced(scores: Floats, seeds: int = SEEDS) -> tuple[list[str], float]:
    """Race candidates by scores (K, S); return who is left, and the share of the fixed design's seeds."""
    study = named(scores)
    race = Race(list(study), plan_race(len(study), seeds))
    used, before = 0, 0
    while not race.end:
        used += len(race.survivors) * (race.next_seeds - before)
        before = race.take_look(study).seeds
    return race.survivors, used / scores.size


EQUAL = [
    (normal, 2, 2_000),
    (normal, 7, 1_000),
    (lognormal, 7, 1_000),
    (normal, 17, 500),
]


@pytest.mark.parametrize(("draw", "candidates", "races"), EQUAL)
def test_of_equals_one_is_rarely_dropped_at_any_look(draw: Draw, candidates: int, races: int) -> None:
    rng = np.random.default_rng([7, candidates])
    dropped = sum(len(raced(draw(rng, candidates, SEEDS))[0]) < candidates for _ in range(races))
    assert dropped / races <= at_most(0.05, races)


@pytest.mark.parametrize("draw", [one_noisy, half_noisy])
def test_of_equals_with_other_spreads_one_is_rarely_dropped(draw: Draw) -> None:
    rng, races = np.random.default_rng(5), 500
    dropped = sum(len(raced(draw(rng, 7, SEEDS))[0]) < 7 for _ in range(races))
    assert dropped / races <= at_most(0.06, races)


def test_of_equals_with_diverged_seeds_one_is_rarely_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores themselves are shuffled, 399 times here: a level of 1.25 % is then four of 400."""
    monkeypatch.setattr(permutation_module, "MOST_PERMUTATIONS", 399)
    rng, races = np.random.default_rng(6), 200
    dropped = sum(len(raced(diverging(rng, 7, SEEDS))[0]) < 7 for _ in range(races))
    assert dropped / races <= at_most(0.05, races)


@pytest.mark.parametrize(("candidates", "races"), [(7, 1_000), (17, 500)])
def test_one_of_two_tied_bests_is_rarely_dropped(candidates: int, races: int) -> None:
    """The worst case: nobody else is in the way of chance."""
    rng = np.random.default_rng([8, candidates])
    wrong = 0
    for _ in range(races):
        scores = normal(rng, candidates, SEEDS)
        scores[2:] -= 20
        wrong += not {"c0", "c1"} <= set(raced(scores)[0])
    assert wrong / races <= at_most(0.05, races)


@pytest.mark.parametrize("long_tailed", [False, True])
def test_a_pattern_like_the_digits_takes_half_of_the_seeds_and_finds_the_winner(long_tailed: bool) -> None:
    rng, races = np.random.default_rng(9), 400
    right, spent = 0, 0.0
    for _ in range(races):
        noise = rng.standard_normal((7, SEEDS))
        fids = DIGITS_FID[:, None] + DIGITS_SPREAD[:, None] * noise
        if long_tailed:
            ratio = (DIGITS_SPREAD / DIGITS_FID)[:, None]
            fids = DIGITS_FID[:, None] * np.exp(ratio * noise)
        left, share = raced(-fids)
        right += left == ["c0"]
        spent += share
    assert right / races >= at_least(0.99, races)
    assert spent / races <= 0.5


def test_a_winner_is_never_missed_where_the_fixed_study_finds_it_for_certain() -> None:
    """One best by two standard deviations among seven."""
    rng, races = np.random.default_rng(10), 300
    right, spent = 0, 0.0
    for _ in range(races):
        scores = normal(rng, 7, SEEDS)
        scores[0] += 2
        left, share = raced(scores)
        right += left == ["c0"]
        spent += share
    assert right / races >= at_least(0.95, races)
    assert spent / races <= 0.75
