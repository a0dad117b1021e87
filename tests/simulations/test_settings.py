"""Several settings, tuning keys, equivalence, learning and trends: how often each claim is wrong."""

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import (
    Margin,
    Scale,
    compare_tuned,
    equivalence_test,
    learning_test,
    order_trend,
    overall_test,
)
from gan_lab.report.comparison import permutation as permutation_module
from gan_lab.report.comparison.scores import Floats
from tests.helpers.simulation import Draw, at_least, at_most, lognormal, named, normal, one_noisy

WIDE = Scale(-30.0, 30.0)  # So wide that it clips nothing.


@pytest.fixture
def few_shuffles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permutation_module, "MOST_PERMUTATIONS", 199)


def overall_share(centers: list[list[float]], seeds: int, studies: int) -> tuple[float, float]:
    """Shares of studies that name the first candidate, and anybody else; centers are (K, settings)."""
    rng = np.random.default_rng([seeds, len(centers)])
    first = other = 0
    for number in range(studies):
        study = {
            f"c{i}": [rng.normal(center, 1, size=seeds) for center in row] for i, row in enumerate(centers)
        }
        winner = overall_test(study, [WIDE] * len(centers[0]), seed=number).winner
        first += winner == "c0"
        other += winner not in ("c0", None)
    return first / studies, other / studies


# Several settings


@pytest.mark.usefixtures("few_shuffles")
def test_nobody_is_the_overall_winner_of_equals() -> None:
    first, other = overall_share([[0.0] * 3] * 7, 8, 1_000)
    assert first + other <= at_most(0.01, 1_000)


@pytest.mark.usefixtures("few_shuffles")
@pytest.mark.parametrize(("seeds", "power"), [(8, 0.96), (16, 1.0)])
def test_who_is_best_everywhere_by_two_standard_deviations_is_named(seeds: int, power: float) -> None:
    first, other = overall_share([[2.0] * 3] + [[0.0] * 3] * 6, seeds, 300)
    assert first >= at_least(power, 300) - 0.01
    assert other == 0


@pytest.mark.usefixtures("few_shuffles")
@pytest.mark.parametrize("reversal", [-1.0, -2.0])
def test_who_is_best_on_the_average_and_behind_in_one_setting_is_rarely_named(reversal: float) -> None:
    """The average alone would name it in .88 to .99 of studies."""
    first, other = overall_share([[3.0, 3.0, reversal]] + [[0.0] * 3] * 6, 8, 1_000)
    assert first + other <= at_most(0.04, 1_000)


# Tuning keys


def tuned_share(centers: list[list[float]], seeds: int, studies: int) -> tuple[float, float]:
    """Share of studies that call the first candidate worse, and share of others; centers are (K, values)."""
    rng = np.random.default_rng([seeds, len(centers), 2])
    first, others = 0, 0.0
    for _ in range(studies):
        study = {
            f"c{i}": [rng.normal(center, 1, size=seeds) for center in row] for i, row in enumerate(centers)
        }
        worse = compare_tuned(study).worse
        first += "c0" in worse
        others += len(set(worse) - {"c0"}) / (len(centers) - 1)
    return first / studies, others / studies


def test_equals_at_their_own_best_values_are_rarely_called_worse() -> None:
    """Each is best at another value, where splitting seeds errs by .08 to .13, a common value by .43."""
    centers = [[0.0 if k == i % 3 else -2.0 for k in range(3)] for i in range(4)]
    first, others = tuned_share(centers, 8, 600)
    assert first <= at_most(0.04, 600)
    assert others <= at_most(0.04, 600)


def test_who_is_worse_at_its_own_best_value_is_found() -> None:
    """One of seven is better by two standard deviations at one of three values."""
    centers = [[0.0, 2.0, -1.0]] + [[0.0, 0.0, 0.0]] * 6
    first, others = tuned_share(centers, 10, 200)
    assert first == 0
    assert others >= 0.6  # All three arms of a candidate must drop.


# Equivalence


@pytest.mark.parametrize(("candidates", "seeds"), [(2, 5), (2, 10), (7, 10), (7, 20)])
@pytest.mark.parametrize("draw", [normal, lognormal, one_noisy])
def test_who_lies_a_whole_margin_behind_is_rarely_called_equivalent(
    draw: Draw, candidates: int, seeds: int
) -> None:
    """All but the best lie exactly at the margin: any of them called equivalent is an error."""
    rng, studies, margin = np.random.default_rng([candidates, seeds]), 1_000, 2.0
    false = 0
    for _ in range(studies):
        scores = draw(rng, candidates, seeds)
        scores[1:] -= margin
        false += bool(set(equivalence_test(named(scores), Margin(margin)).equivalent) - {"c0"})
    assert false / studies <= at_most(0.05, studies)


@pytest.mark.parametrize(("candidates", "seeds", "margin", "power"), [(2, 10, 2.0, 0.95), (7, 20, 2.0, 0.97)])
def test_equals_are_found_equivalent(candidates: int, seeds: int, margin: float, power: float) -> None:
    rng, studies = np.random.default_rng([candidates, seeds]), 500
    share = [
        len(equivalence_test(named(normal(rng, candidates, seeds)), Margin(margin)).equivalent) / candidates
        for _ in range(studies)
    ]
    assert np.mean(share) >= at_least(power, studies)


def test_a_share_of_the_cost_that_is_exceeded_exactly_is_rarely_called_equivalent() -> None:
    rng, studies = np.random.default_rng(1), 1_000
    false = 0
    for _ in range(studies):
        costs = {"a": rng.normal(100, 5, size=8), "b": rng.normal(110, 5, size=8)}
        test = equivalence_test(
            {name: -cost for name, cost in costs.items()}, Margin(0.1, share=True), direction="min"
        )
        false += "b" in test.equivalent
    assert false / studies <= at_most(0.05, studies)


# Learning


@pytest.mark.parametrize(("candidates", "seeds"), [(2, 5), (7, 6), (36, 5)])
def test_that_somebody_learned_is_rarely_said_where_nobody_did(candidates: int, seeds: int) -> None:
    rng, studies = np.random.default_rng([candidates, seeds]), 1_000 if candidates < 36 else 300
    false = 0
    for _ in range(studies):
        before, after = normal(rng, candidates, seeds), normal(rng, candidates, seeds)
        false += bool(learning_test(named(after), named(before)).learned)
    assert false / studies <= at_most(0.05, studies)


def test_of_those_said_to_have_learned_few_have_not() -> None:
    """Half of twenty are better by four standard deviations."""
    rng, studies = np.random.default_rng(2), 200
    false, missed = [], []
    for _ in range(studies):
        before, after = normal(rng, 20, 6), normal(rng, 20, 6)
        after[:10] += 4
        learned = learning_test(named(after), named(before)).learned
        wrong = [name for name in learned if int(name[1:]) >= 10]
        false.append(len(wrong) / max(len(learned), 1))
        missed.append(1 - (len(learned) - len(wrong)) / 10)
    assert np.mean(false) <= at_most(0.05, 2_000)
    assert np.mean(missed) <= 0.05


# Trends

STEPS = list(range(0, 11_000, 1_000))


def stationary(rng: np.random.Generator, seeds: int) -> Floats:
    """Scores (S, T) that wander about a level of each seed, without a trend."""
    return rng.standard_normal((seeds, 1)) + 0.5 * rng.standard_normal((seeds, len(STEPS)))


@pytest.mark.parametrize("seeds", [5, 10])
def test_a_trend_is_rarely_seen_where_there_is_none(seeds: int) -> None:
    rng, studies = np.random.default_rng(seeds), 500
    improving = gaining = changed = 0
    for _ in range(studies):
        trend = order_trend({f"c{i}": stationary(rng, seeds) for i in range(7)}, STEPS)
        assert trend is not None
        improving += min(trend.improving.values()) <= 0.05
        gaining += min(trend.gaining.values()) <= 0.05
        changed += trend.changed
    assert improving / studies <= at_most(0.07, studies)
    assert gaining / studies <= at_most(0.06, studies)
    assert changed / studies > 0.2  # No evidence of anything.


def test_one_that_gains_on_the_leader_is_found_as_often_as_theory_says() -> None:
    """Slopes differ by 1.5 of their standard deviations: the power of a one-sided t-test of 16 against 16."""
    rng, studies, seeds = np.random.default_rng(3), 300, 16
    late = np.array(STEPS[5:]) / 1_000
    sd = 0.5 / np.sqrt(((late - late.mean()) ** 2).sum())  # Of a slope per 1,000 steps.
    found = 0
    for _ in range(studies):
        curves = {"leader": stationary(rng, seeds) + 20}
        curves["rising"] = stationary(rng, seeds) + 1.5 * sd * np.arange(len(STEPS))
        trend = order_trend(curves, STEPS)
        assert trend is not None
        found += trend.gaining["rising"] <= 0.05
    freedom = 2 * seeds - 2
    power = stats.nct.sf(stats.t.isf(0.05, freedom), freedom, 1.5 * np.sqrt(seeds / 2))
    assert found / studies == pytest.approx(power, abs=3.1 * np.sqrt(power * (1 - power) / studies) + 0.01)
