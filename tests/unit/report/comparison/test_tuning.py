"""Each candidate at its own best value of a tuning key."""

import numpy as np
import pytest

from gan_lab.report.comparison import compare_tuned, smallest_seeds
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import rng


def arms(seeds: int, spread: float, **centers: list[float]) -> dict[str, list[Floats]]:
    """Costs around each center, as oriented scores."""
    draw = rng(seeds)
    return {name: [-draw.normal(c, spread, size=seeds) for c in values] for name, values in centers.items()}


def test_one_that_is_best_at_its_own_value_wins_though_it_loses_elsewhere() -> None:
    study = arms(10, 5.0, elu=[150, 60, 150], relu=[100, 100, 100], tanh=[100, 100, 100])
    tuned = compare_tuned(study)
    assert (tuned.winner, sorted(tuned.worse), tuned.tied) == ("elu", ["relu", "tanh"], ["elu"])
    best = tuned.candidates[0]
    assert (best.name, best.best_value, best.surviving) == ("elu", 1, [1])
    assert best.best_iqm == pytest.approx(-60, abs=5)
    assert best.tuned_iqm == pytest.approx(best.best_iqm)
    assert tuned.p is not None
    assert tuned.p <= 0.05
    assert tuned.test.seeds == {f"{name} @ {k}": 10 for name in ("elu", "relu", "tanh") for k in range(3)}


def test_equal_at_their_own_best_values_are_tied() -> None:
    tuned = compare_tuned(arms(10, 5.0, elu=[150, 100], relu=[100, 150], tanh=[200, 190]))
    assert (tuned.winner, tuned.p, tuned.worse) == (None, None, ["tanh"])
    assert {one.name: one.best_value for one in tuned.candidates} == {"elu": 1, "relu": 0, "tanh": 1}


def test_the_tuned_score_does_not_flatter() -> None:
    """The best of four equal values looks better than it is; seeds that did not choose it do not."""
    flattery, honest = [], []
    for seed in range(200):
        draw = rng(seed)
        (one,) = compare_tuned({"a": [draw.normal(size=8) for _ in range(4)]}).candidates
        flattery.append(one.best_iqm)
        honest.append(one.tuned_iqm)
    assert np.mean(flattery) > 0.25
    assert abs(np.mean(honest)) < 0.12


def test_too_few_seeds_for_so_many_arms() -> None:
    study = arms(6, 1.0, elu=[150, 60, 150], relu=[100, 100, 100], tanh=[100, 100, 100])
    tuned = compare_tuned(study)
    assert (tuned.winner, tuned.worse, tuned.p) == (None, [], None)
    assert tuned.test.smallest_seeds == smallest_seeds(9) == 7
    assert all(one.p_worse is None for one in tuned.candidates)
    assert compare_tuned({"a": [np.ones(1), np.zeros(1)]}).candidates[0].tuned_iqm == 1
