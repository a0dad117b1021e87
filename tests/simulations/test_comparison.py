"""How often tests and intervals are right, by simulation with fixed generators."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from gan_lab.report import comparison as statistics
from gan_lab.report.comparison.scores import Floats, interquartile_means
from tests.helpers.studies import INF, rng


def p_value(x: Floats, y: Floats, resamples: int = 9_999, seed: int = 0) -> float:
    return statistics.permutation_test([x], [y], rng=rng(seed), resamples=resamples)


COVERAGE = [(3, 0.76), (5, 0.90), (10, 0.94)]


@pytest.mark.parametrize(("seeds", "expected"), COVERAGE)
def test_coverage_of_the_iqm_interval(seeds: int, expected: float) -> None:
    """Of nominal 95 % on normal scores, whose IQM is 0, as found by independent code (400 repetitions)."""
    draw, repetitions = rng(seeds), 800
    hits = 0
    for _ in range(repetitions):
        scores = [draw.normal(size=seeds)]
        low, high = statistics.bootstrap_interval(scores, interquartile_means, rng=draw, resamples=999)
        hits += low <= 0 <= high
    error = math.sqrt(expected * (1 - expected) * (1 / repetitions + 1 / 400))
    assert hits / repetitions == pytest.approx(expected, abs=3.3 * error)


@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_false_alarms_of_the_test_are_its_level(spread: float) -> None:
    """Also where the reference varies four times as much about the same center."""
    draw, repetitions = rng(7), 600
    found = [
        p_value(draw.normal(size=10), draw.normal(0, spread, size=10), resamples=299, seed=i) <= 0.05
        for i in range(repetitions)
    ]
    assert np.mean(found) == pytest.approx(0.05, abs=3.3 * math.sqrt(0.05 * 0.95 / repetitions))


def test_power_of_the_permutation_test_at_the_detectable_effect() -> None:
    effect = statistics.minimum_detectable_effect(10)
    assert effect is not None
    draw, repetitions = rng(3), 500
    found = [
        p_value(draw.normal(effect, size=10), draw.normal(size=10), resamples=299, seed=i) <= 0.05
        for i in range(repetitions)
    ]
    assert np.mean(found) == pytest.approx(0.78, abs=3.3 * math.sqrt(0.78 * 0.22 / repetitions))


def normal(draw: np.random.Generator) -> Floats:
    return draw.normal(size=10)


def collapsing(draw: np.random.Generator) -> Floats:
    return np.where(draw.random(10) < 0.1, -INF, draw.normal(size=10))


def modes(draw: np.random.Generator) -> Floats:
    return draw.binomial(8, 0.8, size=10).astype(float)


@pytest.mark.parametrize("scores", [normal, collapsing, modes])
def test_family_wise_error_of_eight_equal_candidates(scores: Callable[[np.random.Generator], Floats]) -> None:
    """Nobody differs: at most 5 % of studies may say that somebody differs from the reference or wins."""
    draw, repetitions = rng(11), 120
    differing = winning = 0
    for seed in range(repetitions):
        study = {f"c{i}": [scores(draw)] for i in range(8)}
        found = statistics.compare(study, "c0", seed=seed, resamples=399)
        differing += any(one.p_holm is not None and one.p_holm <= 0.05 for one in found.candidates)
        winning += found.winner is not None
    bound = 0.05 + 3 * math.sqrt(0.05 * 0.95 / repetitions)
    assert differing / repetitions <= bound
    assert winning / repetitions <= bound


def test_false_winners_among_two_equals_far_above_the_rest() -> None:
    """The hardest case: chance alone may lift one of the two, and nobody else is in its way."""
    draw, repetitions = rng(12), 200
    winning = 0
    for seed in range(repetitions):
        study = {name: [draw.normal(10 * (name < "c"), size=10)] for name in "abcde"}
        winning += statistics.compare(study, "e", seed=seed, resamples=399).winner is not None
    assert winning / repetitions <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / repetitions)
