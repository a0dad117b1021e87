"""Statistics against closed forms, scipy, published tables, and simulation where only that tells."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from gan_lab.report import comparison as statistics
from gan_lab.report.comparison import Comparison, Study
from gan_lab.report.comparison.bootstrap import Resamples, improvements, percentile_interval
from gan_lab.report.comparison.scores import Floats, interquartile_means
from gan_lab.utils.errors import ConfigurationError

INF = math.inf


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal_study(candidates: int, seeds: int, seed: int = 0, **shifts: float) -> dict[str, list[Floats]]:
    draw = rng(seed)
    names = [f"c{i}" for i in range(candidates)]
    return {name: [draw.normal(size=seeds) + shifts.get(name, 0.0)] for name in names}


def named(found: Comparison) -> dict[str, statistics.Candidate]:
    return {one.name: one for one in found.candidates}


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for own in value.values() for leaf in leaves(own)]
    if isinstance(value, (list, tuple)):
        return [leaf for own in value for leaf in leaves(own)]
    return [value]


# Scores


def test_orient_turns_lower_round_and_ranks_what_failed_last() -> None:
    values = [1.5, None, math.nan, INF, -INF, 0.5]
    np.testing.assert_array_equal(statistics.orient(values, "min"), [-1.5, -INF, -INF, -INF, -INF, -0.5])
    np.testing.assert_array_equal(statistics.orient(values, "max"), [1.5, -INF, -INF, -INF, -INF, 0.5])
    np.testing.assert_array_equal(statistics.orient([-1e-9, 2.0], "max", worst=0.0), [0.0, 2.0])
    np.testing.assert_array_equal(statistics.orient([0.7, None], "min", worst=0.6), [-0.6, -INF])
    with pytest.raises(ConfigurationError, match="bigger"):
        statistics.orient([1.0], "bigger")


@pytest.mark.parametrize("seeds", [1, 2, 3, 4, 5, 8, 10, 13])
def test_iqm_is_scipys_trimmed_mean(seeds: int) -> None:
    scores = rng(seeds).lognormal(size=seeds)
    assert statistics.iqm(scores) == pytest.approx(stats.trim_mean(scores, 0.25), rel=1e-12)


def test_iqm_of_failed_seeds() -> None:
    assert statistics.iqm([-INF, -INF, 1, 2, 3, 4, 5, 6]) == pytest.approx(2.5)  # cuts two at either end
    assert statistics.iqm([-INF, -INF, -INF, 2, 3, 4, 5, 6]) == -INF
    assert statistics.iqm([-INF] * 5) == -INF


def test_equal_scores_have_exactly_their_value_whatever_their_number() -> None:
    """The mean of ten times 0.1 is not 0.1 in floating point, and would beat that of six."""
    assert {statistics.iqm([0.1] * n) for n in range(1, 40)} == {0.1}


# Bootstrap


def test_interval_agrees_with_scipys_stratified_percentile_bootstrap() -> None:
    strata = (rng(1).normal(size=12), rng(2).normal(3, 2, size=9))
    found = statistics.bootstrap_interval(strata, interquartile_means, rng=rng(3), resamples=40_000)

    def pooled(*samples: Floats, axis: int) -> Any:
        return stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)

    expected = stats.bootstrap(strata, pooled, method="percentile", n_resamples=40_000, rng=rng(4))
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=0.04)  # about 4 Monte Carlo errors


def test_interval_ends_are_the_250th_of_9999() -> None:
    assert percentile_interval(rng().permutation(9_999).astype(float), 0.95) == (249.0, 9_749.0)


def test_interval_of_failures_is_never_nan() -> None:
    half = np.array([-INF] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0])
    low, high = statistics.bootstrap_interval([half], interquartile_means, rng=rng())
    assert low == -INF
    assert 1 <= high <= 5
    assert statistics.bootstrap_interval([np.full(4, -INF)], interquartile_means, rng=rng()) == (-INF, -INF)


def test_interval_of_constant_scores_is_the_constant() -> None:
    assert statistics.bootstrap_interval([np.full(7, 0.1)], interquartile_means, rng=rng()) == (0.1, 0.1)


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


def test_improvement_is_mann_whitneys_u_over_the_pairs() -> None:
    x, y = rng(1).integers(0, 6, 9).astype(float), rng(2).integers(0, 6, 7).astype(float)
    u = stats.mannwhitneyu(x, y).statistic
    assert statistics.improvement([x], [y]) == pytest.approx(u / 63)
    failed = np.full(2, -INF)
    assert statistics.improvement([failed], [failed]) == 0.5
    assert statistics.improvement([x, failed], [y, np.zeros(3)]) == pytest.approx(u / 126)


def test_resampled_improvements_are_those_of_the_resampled_scores() -> None:
    x = Resamples.draw([rng(1).integers(0, 4, 6) * 1.0, rng(2).normal(size=5)], 20, rng(3))
    y = Resamples.draw([rng(4).integers(0, 4, 8) * 1.0, rng(5).normal(size=4)], 20, rng(6))
    for b, found in enumerate(improvements(x, y)):
        pairs = [
            stats.mannwhitneyu(x.scores[k][x.drawn[k][b]], y.scores[k][y.drawn[k][b]]).statistic
            / (len(x.scores[k]) * len(y.scores[k]))
            for k in range(2)
        ]
        assert found == pytest.approx(np.mean(pairs))


# Permutation test


def p_value(x: Floats, y: Floats, resamples: int = 9_999, seed: int = 0) -> float:
    return statistics.permutation_test([x], [y], rng=rng(seed), resamples=resamples)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy divides by the variance of separated samples
@pytest.mark.parametrize(("n", "m"), [(4, 6), (5, 5), (2, 8)])
def test_p_is_that_of_scipys_permuted_brunner_munzel_statistic(n: int, m: int) -> None:
    for seed in range(4):
        x, y = rng(seed).normal(1, 3, size=n), rng(seed + 10).normal(size=m)
        x[0], x[1] = y.max() + 1, y.min() - 1  # where they do not overlap, scipy's p is 0
        expected = stats.permutation_test(
            (x, y),
            lambda a, b: stats.brunnermunzel(a, b).statistic,
            vectorized=False,
            n_resamples=np.inf,
        )
        assert p_value(x, y) == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("scores", [np.arange(10.0), np.array([0, 0, 1, 1, 1, 2, 2, 3, -INF, -INF])])
def test_the_exact_test_is_valid_with_and_without_ties(scores: Floats) -> None:
    """Were each arrangement of the same scores observed in turn, at most a share a would have p <= a."""
    found = []
    for chosen in combinations(range(10), 4):
        x, y = scores[list(chosen)], np.delete(scores, chosen)
        found.append(p_value(x, y))
    for p in sorted(set(found)):
        assert np.mean(np.array(found) <= p + 1e-12) <= p + 1e-9


def test_separated_samples_have_the_smallest_p_there_is() -> None:
    low, high = np.arange(5.0), np.arange(5.0) + 10
    assert p_value(high, low) == pytest.approx(2 / math.comb(10, 5))
    assert p_value(np.full(5, 8.0), np.full(5, 7.0)) == pytest.approx(2 / math.comb(10, 5))
    assert p_value(np.ones(5), np.full(5, -INF)) == pytest.approx(2 / math.comb(10, 5))
    two = statistics.permutation_test([high[:4], low[:4]], [low[:4], low[:4] - 9], rng=rng())
    assert two == pytest.approx(2 / math.comb(8, 4) ** 2)
    # Of 6e8 arrangements none of 9,999 random ones is as extreme as the observed one.
    assert p_value(np.arange(16.0), np.arange(16.0) + 20) == pytest.approx(1 / 10_000)


def test_random_arrangements_come_near_the_exact_p() -> None:
    x, y = rng(1).normal(0.8, size=7), rng(2).normal(size=7)
    exact = p_value(x, y)
    assert p_value(x, y, resamples=3_000) == pytest.approx(exact, abs=4 * math.sqrt(exact / 3_000))


def test_what_is_equal_has_p_1() -> None:
    for size in (1, 5, 20):
        assert p_value(np.full(size, 8.0), np.full(size, 8.0)) == 1
        assert p_value(np.full(size, -INF), np.full(size, -INF)) == 1


def test_p_depends_on_ranks_alone_and_not_on_who_is_first() -> None:
    x, y = rng(1).normal(0.7, size=9), rng(2).normal(size=9)
    assert p_value(np.exp(x), np.exp(y)) == p_value(x, y)
    x, y = x[:6], y[:6]
    assert p_value(y, x) == p_value(x, y)


def test_settings_are_not_mixed() -> None:
    """A difference that the second setting's other level would hide in one pool."""
    x = [np.arange(4.0) + 4, np.arange(4.0) + 1004]
    y = [np.arange(4.0), np.arange(4.0) + 1000]
    assert statistics.permutation_test(x, y, rng=rng()) == pytest.approx(2 / 70**2)
    assert p_value(np.concatenate(x), np.concatenate(y)) > 0.05


@pytest.mark.parametrize("spread", [1.0, 4.0])
def test_false_alarms_of_the_test_are_its_level(spread: float) -> None:
    """Also where the reference varies four times as much about the same center."""
    draw, repetitions = rng(7), 600
    found = [
        p_value(draw.normal(size=10), draw.normal(0, spread, size=10), resamples=299, seed=i) <= 0.05
        for i in range(repetitions)
    ]
    assert np.mean(found) == pytest.approx(0.05, abs=3.3 * math.sqrt(0.05 * 0.95 / repetitions))


def test_holms_correction() -> None:
    """R: p.adjust(c(.01, .04, .03, .005), "holm")."""
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.9, 0.6]) == [1.0, 1.0]
    assert statistics.holm([]) == []


# What a study can see

DETECTABLE = [
    (5, 1, 2.0),
    (10, 1, 1.33),
    (20, 1, 0.91),
    (5, 13, 3.2),
    (10, 13, 1.90),
    (20, 13, 1.25),
    (30, 13, 1.00),
    (5, 91, 4.4),
    (10, 91, 2.3),
    (20, 91, 1.5),
]


@pytest.mark.parametrize(("seeds", "comparisons", "expected"), DETECTABLE)
def test_detectable_effects_of_an_independent_table(seeds: int, comparisons: int, expected: float) -> None:
    assert statistics.detectable_effect(seeds, comparisons) == pytest.approx(expected, rel=0.03)


def test_nothing_is_detectable_with_one_seed() -> None:
    assert statistics.detectable_effect(1) is None
    two = statistics.detectable_effect(2)
    assert two is not None
    assert two > 5


def test_power_of_the_permutation_test_at_the_detectable_effect() -> None:
    effect = statistics.detectable_effect(10)
    assert effect is not None
    draw, repetitions = rng(3), 500
    found = [
        p_value(draw.normal(effect, size=10), draw.normal(size=10), resamples=299, seed=i) <= 0.05
        for i in range(repetitions)
    ]
    assert np.mean(found) == pytest.approx(0.78, abs=3.3 * math.sqrt(0.78 * 0.22 / repetitions))


@pytest.mark.parametrize(("effect", "expected"), [(0.2, 394), (0.5, 64), (0.8, 26), (1.0, 17)])
def test_seeds_to_separate_are_cohens(effect: float, expected: int) -> None:
    """Cohen (1988), table 2.4.1: two-sided .05, power .80."""
    scores = stats.norm.ppf((np.arange(1_000) + 0.5) / 1_000)
    found = statistics.seeds_to_separate([scores + effect], [scores])
    assert found == pytest.approx(expected, rel=0.02)
    assert statistics.seeds_to_separate([scores], [scores + effect]) == found


def test_seeds_to_separate_at_both_ends() -> None:
    low = np.arange(10.0)
    assert statistics.seeds_to_separate([low], [low]) is None
    assert statistics.seeds_to_separate([np.full(5, 8.0)], [np.full(5, 8.0)]) is None
    assert statistics.seeds_to_separate([low + 100], [low]) == 5
    assert statistics.seeds_to_separate([low + 100] * 3, [low] * 3) == 5
    # Five seeds each never reach .005 (their smallest p is .008), six do.
    assert statistics.seeds_to_separate([low + 100], [low], level=0.995) == 6
    assert statistics.seeds_to_separate([np.ones(5)], [np.full(5, -INF)]) == 5
    assert statistics.seeds_to_separate([np.ones(1_000)], [np.zeros(1_000)]) == 5


@pytest.mark.parametrize("seeds", [5, 10])
def test_spread_is_the_standard_deviation_and_ignores_failures(seeds: int) -> None:
    samples = [rng(i).normal(i, 3, size=seeds) for i in range(400)]
    assert statistics.spread(samples) == pytest.approx(3, rel=0.04)
    spoilt = [np.append(s, -INF) for s in samples] + [np.append(s, s[0] + 100) for s in samples[:40]]
    assert statistics.spread(spoilt) == pytest.approx(3, rel=0.1)


def test_spread_of_tied_scores() -> None:
    mostly = np.array([8.0] * 7 + [7.0])
    assert statistics.spread([mostly, mostly]) == pytest.approx(mostly.std(ddof=1))
    assert statistics.spread([np.full(9, 8.0), np.full(9, 7.0), np.full(9, -INF)]) is None


@pytest.mark.parametrize(("candidates", "seeds"), [(2, 1), (15, 3), (7, 2)])
def test_winner_bias_is_the_expected_highest_of_normal_numbers(candidates: int, seeds: int) -> None:
    """Of under four seeds the IQM is the mean, and E max = ∫ x d(Φ(x)^A), divided by sqrt(S)."""

    def density(x: float) -> float:
        return x * candidates * float(stats.norm.cdf(x) ** (candidates - 1) * stats.norm.pdf(x))

    expected = integrate.quad(density, -9, 9)[0] / math.sqrt(seeds)
    assert statistics.winner_bias([seeds] * candidates, rng()) == pytest.approx(expected, rel=0.04)


def test_winner_bias_of_fifteen_at_ten_seeds() -> None:
    """.54 for means; IQMs of ten normal scores vary 1.07 times as much."""
    assert statistics.winner_bias([10] * 15, rng()) == pytest.approx(0.54 * 1.07, rel=0.03)
    assert statistics.winner_bias([10], rng()) == 0


# Several settings


def test_normalized_scores_run_from_the_5_to_the_95_percent_quantile() -> None:
    study = {"a": [rng(1).normal(size=10), rng(2).normal(100, 50, size=10)]}
    study["b"] = [rng(3).normal(size=10), rng(4).normal(100, 50, size=10)]
    found = statistics.normalize(study)
    for k in range(2):
        pooled = np.concatenate([found["a"][k], found["b"][k]])
        assert np.quantile(pooled, [0.05, 0.95]) == pytest.approx([0, 1])
    scaled = statistics.normalize(study, [(-1.0, 1.0), (0.0, 200.0)])
    np.testing.assert_allclose(scaled["b"][1], study["b"][1] / 200)
    np.testing.assert_allclose(scaled["a"][0], (study["a"][0] + 1) / 2)
    with pytest.raises(ConfigurationError, match="zero < one"):
        statistics.normalize(study, [(1.0, 1.0), (0.0, 1.0)])


def test_a_normalized_failure_is_finite_and_last() -> None:
    scores = np.array([2.0, 4.0, -INF])
    assert statistics.normalize({"a": [scores]}, [(0.0, 1.0)])["a"][0] == pytest.approx([2, 4, 0])
    constant = statistics.normalize({"a": [np.array([8.0, 8.0, -INF])]})["a"][0]
    assert constant[0] == constant[1] > constant[2] > -INF
    np.testing.assert_array_equal(statistics.normalize({"a": [np.full(3, -INF)]})["a"][0], np.zeros(3))


def test_performance_profile() -> None:
    study = {"a": [np.array([0.0, 1.0]), np.array([2.0, -INF])], "b": [np.full(2, 1.0), np.full(2, 1.0)]}
    found = statistics.performance_profiles(study, [-1.0, 0.5, 1.0, 3.0])
    assert found["a"].share == [0.75, 0.5, 0.25, 0.0]
    assert found["b"].share == found["b"].low == found["b"].high == [1.0, 1.0, 0.0, 0.0]
    for low, share, high in zip(found["a"].low, found["a"].share, found["a"].high, strict=True):
        assert 0 <= low <= share <= high <= 1
    # Each setting keeps its runs: with the failed one drawn twice or not at all, half to all are above -1.
    assert (found["a"].low[0], found["a"].high[0]) == (0.5, 1.0)
    ends = statistics.performance_profiles(study)["a"].thresholds
    assert (len(ends), ends[0], ends[-1]) == (101, 0.0, 2.0)


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
    found = named(statistics.compare(study, "b", resamples=99))
    assert (found["a"].failures, found["b"].failures) == (3, 0)
    assert math.isfinite(found["a"].minimum)


# The comparison


def test_a_clear_winner() -> None:
    study = normal_study(6, 10, c3=8.0)
    found = statistics.compare(study, "c0")
    best = found.candidates[0]
    assert (found.winner, found.tied, best.name) == ("c3", ["c3"], "c3")
    assert (best.rank, best.rank_interval, best.p_best, best.improvement) == (1, (1, 1), 1.0, 1.0)
    assert best.iqm == pytest.approx(stats.trim_mean(study["c3"][0], 0.25))
    assert best.difference == pytest.approx(best.iqm - named(found)["c0"].iqm)
    assert best.difference_interval is not None
    assert 5 < best.difference_interval.low < best.difference < best.difference_interval.high < 11
    assert best.p_holm == pytest.approx(5e-4, rel=0.5)
    assert [one.iqm for one in found.candidates] == sorted(
        (one.iqm for one in found.candidates), reverse=True
    )
    assert sum(one.p_best for one in found.candidates) == pytest.approx(1)
    reference = named(found)["c0"]
    assert (reference.difference, reference.improvement, reference.p, reference.p_holm) == (None,) * 4


def test_two_equals_above_a_worse_one_are_tied() -> None:
    found = statistics.compare(normal_study(3, 10, c0=9.0, c1=9.0), "c2")
    assert (found.winner, sorted(found.tied)) == (None, ["c0", "c1"])
    assert named(found)["c2"].rank_interval == (3, 3)
    assert {named(found)[n].rank_interval for n in ("c0", "c1")} == {(1, 2)}


CONSTANT = {name: [np.full(10, 8.0)] for name in ("a", "b", "c", "d")}
FAILED = {name: [np.full(10, -INF)] for name in ("a", "b", "c", "d")}


@pytest.mark.parametrize(("study", "value"), [(CONSTANT, 8.0), (FAILED, -INF)])
def test_when_all_score_the_same_nobody_wins(study: Study, value: float) -> None:
    found = statistics.compare(study, "b", resamples=999)
    assert found.winner is None
    assert sorted(found.tied) == ["a", "b", "c", "d"]
    assert found.spread is found.smallest_effect_score is found.seeds_needed is None
    for one in found.candidates:
        assert (one.iqm, one.median, one.mean, one.interval) == (value, value, value, (value, value))
        assert (one.rank, one.rank_interval, one.p_best) == (1, (1, 4), 0.25)
        if one.name != "b":
            assert (one.difference, one.difference_interval) == (0, (0, 0))
            assert (one.improvement, one.improvement_interval, one.p, one.p_holm) == (0.5, (0.5, 0.5), 1, 1)


def test_constant_scores_are_equal_whatever_the_number_of_seeds() -> None:
    found = statistics.compare({"a": [np.full(7, 0.1)], "b": [np.full(12, 0.1)]}, "a", resamples=999)
    assert [one.rank for one in found.candidates] == [1, 1]
    assert [one.p_best for one in found.candidates] == [0.5, 0.5]


def test_failed_seeds_rank_last_and_are_counted() -> None:
    study = {"good": [np.arange(10.0)], "lost": [np.full(10, -INF)]}
    study["half"] = [np.array([-INF] * 5 + [100.0] * 5)]
    found = statistics.compare(study, "good")
    assert [one.name for one in found.candidates] == ["good", "half", "lost"]
    half, lost = named(found)["half"], named(found)["lost"]
    assert (half.n, half.failures, half.iqm, half.maximum) == (10, 5, -INF, 100.0)
    assert half.interval == (-INF, 100.0)
    assert (lost.difference, lost.improvement, lost.failures) == (-INF, 0.0, 10)
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
    assert named(found)["c1"].improvement == 1
    assert not statistics.compare(normal_study(3, 5), "c0", resamples=99).exploratory
    mixed = {"a": [np.arange(9.0)], "b": [np.arange(4.0)]}
    assert statistics.compare(mixed, "a", resamples=99).exploratory
    assert statistics.compare({"a": [np.ones(1)], "b": [np.zeros(1)]}, "a", resamples=99).exploratory


def test_smallest_effect_is_none_where_no_difference_could_be_significant() -> None:
    """Five against five have 252 arrangements: 2 / 252 is .056 after correction for seven."""
    six, seven = (statistics.compare(normal_study(1 + k, 5), "c0", resamples=999) for k in (6, 7))
    assert six.smallest_effect == statistics.detectable_effect(5, 6)
    assert six.smallest_effect_score == pytest.approx(six.smallest_effect * (six.spread or 0))
    assert seven.smallest_effect is seven.smallest_effect_score is None
    far = statistics.compare(normal_study(8, 5, c1=99.0), "c0", resamples=999)
    assert named(far)["c1"].p_holm == pytest.approx(7 * 2 / 252)


def test_a_single_candidate() -> None:
    found = statistics.compare({"a": [np.arange(6.0)]}, "a", resamples=999)
    assert (found.winner, found.tied, found.winner_bias) == (None, ["a"], 0)
    assert found.smallest_effect is found.seeds_needed is None
    assert (found.candidates[0].rank_interval, found.candidates[0].p_best) == ((1, 1), 1)


def test_unequal_numbers_of_seeds() -> None:
    study = {"a": [rng(1).normal(size=12)], "b": [rng(2).normal(size=5)], "c": [rng(3).normal(9, size=8)]}
    found = statistics.compare(study, "b")
    assert {one.name: one.n for one in found.candidates} == {"a": 12, "b": 5, "c": 8}
    assert found.smallest_effect == statistics.detectable_effect(5, 2)
    assert named(found)["c"].p == pytest.approx(2 / math.comb(13, 5))


@pytest.mark.parametrize(
    ("study", "words"),
    [
        ({"a": [np.ones(5)], "b": [np.ones(5)]}, "'relu'.*a, b"),
        ({}, "'relu'.*none"),
        ({"relu": [np.ones(5)], "b": [np.ones(5), np.ones(5)]}, "same settings"),
        ({"relu": []}, "at least one"),
        ({"relu": [np.ones((5, 2))]}, "one number a seed"),
        ({"relu": [np.ones(0)]}, "one number a seed"),
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
    few = named(statistics.compare({name: study[name] for name in ("c0", "c3")}, "c0", resamples=499))
    many = named(statistics.compare(study, "c0", resamples=499))
    for field in ("interval", "difference_interval", "improvement_interval", "p"):
        assert getattr(few["c3"], field) == getattr(many["c3"], field)


def test_a_comparison_is_plain_and_becomes_json() -> None:
    found = asdict(statistics.compare(normal_study(3, 6), "c0", resamples=99))
    assert {type(leaf) for leaf in leaves(found)} == {str, int, float, bool, type(None)}
    assert json.loads(json.dumps(found, allow_nan=False))["candidates"][0]["rank"] == 1


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
