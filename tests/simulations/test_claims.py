"""How often the two claims are wrong, and how often they find what is there."""

from dataclasses import dataclass

import numpy as np
import pytest

from gan_lab.report.comparison import permutation as permutation_module
from gan_lab.report.comparison import winner_test, worse_test
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
    tied,
)


@dataclass
class Shares:
    """Shares of studies in which somebody was called worse, and a winner named."""

    worse: float
    winner: float


def shares(
    draw: Draw,
    candidates: int,
    seeds: int,
    studies: int,
    *,
    shifts: dict[int, float] | None = None,
    spared: set[str] | None = None,
) -> Shares:
    """Draw studies and make both claims; count only those against ``spared``, or everybody."""
    rng = np.random.default_rng([candidates, seeds])
    worse = winner = 0
    for _ in range(studies):
        scores = draw(rng, candidates, seeds)
        for i, shift in (shifts or {}).items():
            scores[i] += shift
        study = named(scores)
        called = set(worse_test(study).worse)
        worse += bool(called & spared if spared is not None else called)
        winner += winner_test(study).winner is not None
    return Shares(worse / studies, winner / studies)


# Nobody is better than anybody. The figures in brackets are those of the recipe's own simulations.
ALL_EQUAL = [
    (normal, 2, 5, 1_500, 0.05),
    (one_noisy, 2, 5, 1_500, 0.072),
    (normal, 7, 8, 1_000, 0.056),
    (lognormal, 7, 8, 1_000, 0.056),
    (one_noisy, 7, 8, 1_000, 0.07),
    (half_noisy, 7, 16, 1_000, 0.07),
    (normal, 17, 8, 1_000, 0.056),
    (half_noisy, 17, 16, 300, 0.07),
    (normal, 36, 10, 300, 0.056),
]


@pytest.mark.parametrize(("draw", "candidates", "seeds", "studies", "error"), ALL_EQUAL)
def test_equals_are_rarely_called_worse(
    draw: Draw, candidates: int, seeds: int, studies: int, error: float
) -> None:
    found = shares(draw, candidates, seeds, studies)
    assert found.worse <= at_most(error, studies)
    assert found.winner <= at_most(0.06, studies)


@pytest.mark.parametrize("draw", [tied, diverging])
def test_equals_with_ties_and_diverged_seeds_are_rarely_called_worse(
    draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scores themselves are shuffled, 199 times here."""
    monkeypatch.setattr(permutation_module, "MOST_PERMUTATIONS", 199)
    found = shares(draw, 7, 10, 1_000)
    assert found.worse <= at_most(0.056, 1_000)
    assert found.winner <= at_most(0.05, 1_000)


TWO_TIED = [(normal, 2, 5, 1_500), (normal, 7, 8, 1_000), (lognormal, 7, 8, 1_000), (one_noisy, 17, 16, 300)]


@pytest.mark.parametrize(("draw", "candidates", "seeds", "studies"), TWO_TIED)
def test_one_of_two_tied_leaders_is_rarely_called_worse_or_the_winner(
    draw: Draw, candidates: int, seeds: int, studies: int
) -> None:
    """The worst case of both claims: nobody else is in the way of chance."""
    others = dict.fromkeys(range(2, candidates), -20.0)
    found = shares(draw, candidates, seeds, studies, shifts=others, spared={"c0", "c1"})
    assert found.worse <= at_most(0.063, studies)
    assert found.winner <= at_most(0.063, studies)


def test_unequal_seeds_with_unequal_spreads() -> None:
    """The small sample is the noisy one, which breaks tests that take all seeds (.10 to .23)."""
    rng, studies = np.random.default_rng(1), 1_000
    worse = winner = 0
    for _ in range(studies):
        study = {"few": rng.normal(0, 3, size=8)} | {f"c{i}": rng.standard_normal(20) for i in range(6)}
        worse += bool(worse_test(study).worse)
        winner += winner_test(study).winner is not None
    assert worse / studies <= at_most(0.07, studies)
    assert winner / studies <= at_most(0.05, studies)


POWER = [
    (7, 8, 2.0, 0.80, 0.78),
    (17, 10, 2.0, 0.80, None),
    (36, 16, 2.0, 0.96, 0.99),
    (2, 5, 2.0, 0.70, 0.70),
]


@pytest.mark.parametrize(("candidates", "seeds", "shift", "share_worse", "share_winner"), POWER)
def test_one_that_is_best_by_two_standard_deviations_is_found(
    candidates: int, seeds: int, shift: float, share_worse: float, share_winner: float | None
) -> None:
    """The share of others called worse, and of studies that name the winner, as in the recipe."""
    rng, studies = np.random.default_rng([candidates, seeds]), 300 if candidates < 36 else 100
    worse = winner = 0.0
    for _ in range(studies):
        scores = normal(rng, candidates, seeds)
        scores[0] += shift
        study = named(scores)
        worse += len(set(worse_test(study).worse) - {"c0"}) / (candidates - 1)
        winner += winner_test(study).winner == "c0"
    # Within a study the calls depend on one another: about four independent ones in each.
    assert worse / studies >= at_least(share_worse, studies) - 0.02
    if share_winner is not None:
        assert winner / studies >= at_least(share_winner, studies)
