"""Whether the order will hold, against scipy's tests of slopes."""

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import holm, order_trend
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import INF, rng

STEPS = [0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 9_000, 10_000]


def curve(start: float, slope: float, seeds: int = 12, seed: int = 0) -> Floats:
    """Scores (S, T) that rise by ``slope`` per 1,000 steps, with noise of .1."""
    return start + slope * np.arange(11) + rng(seed).normal(0, 0.1, size=(seeds, 11))


def test_a_leader_that_was_overtaken_is_told_with_who_improves_and_gains() -> None:
    curves = {"tanh": curve(5.0, 0.0), "relu": curve(0.0, 0.7, seed=1), "elu": curve(2.0, 0.01, seed=2)}
    trend = order_trend(curves, STEPS)
    assert trend is not None
    assert (trend.half, trend.leader_at_half, trend.leader, trend.changed) == (5_000, "tanh", "relu", True)
    assert trend.slopes["relu"] == pytest.approx(0.7, abs=0.05)
    assert trend.improving["relu"] < 0.001
    assert trend.improving["tanh"] > 0.05
    assert trend.seeds == {"tanh": 12, "relu": 12, "elu": 12}
    assert trend.shown
    assert trend.iqms["tanh"][5] == pytest.approx(5, abs=0.1)
    assert len(trend.iqms["tanh"]) == len(trend.steps) == 11


def test_p_values_are_scipys_of_slopes_by_least_squares() -> None:
    curves = {"a": curve(1.0, 0.0), "b": curve(0.0, 0.04, seed=1)}
    trend = order_trend(curves, STEPS)
    assert trend is not None
    slopes = {
        name: [stats.linregress(STEPS[5:], scores[5:]).slope for scores in own]
        for name, own in curves.items()
    }
    p = {name: stats.ttest_1samp(own, 0, alternative="greater").pvalue for name, own in slopes.items()}
    smaller, larger = sorted(p, key=lambda name: p[name])
    assert trend.improving[smaller] == pytest.approx(min(2 * p[smaller], 1))
    assert trend.improving[larger] == pytest.approx(max(p[larger], min(2 * p[smaller], 1)))
    assert trend.steady_leader == "a"
    gaining = stats.ttest_ind(slopes["b"], slopes["a"], equal_var=False, alternative="greater")
    assert trend.gaining == {"b": pytest.approx(gaining.pvalue)}
    assert trend.slopes["b"] == pytest.approx(1000 * np.mean(slopes["b"]))


def test_diverged_seeds_have_no_slope() -> None:
    torn = curve(9.0, 0.1)
    torn[:3, 8:] = -INF
    torn[3, 10] = np.nan
    lost = np.full((12, 11), -INF)
    trend = order_trend({"torn": torn, "lost": lost, "fine": curve(1.0, 0.0)}, STEPS)
    assert trend is not None
    assert trend.seeds == {"torn": 8, "lost": 0, "fine": 12}
    assert not trend.shown
    assert (trend.leader_at_half, trend.leader, trend.changed) == ("torn", "fine", True)
    assert trend.slopes["lost"] is None
    assert "lost" not in trend.improving
    assert trend.iqms["torn"][-1] == -INF


def test_equal_and_flat_curves() -> None:
    flat = np.ones((4, 11))
    trend = order_trend({"a": flat, "b": flat}, STEPS)
    assert trend is not None
    assert (trend.leader, trend.leader_at_half, trend.changed, trend.gaining) == (None, None, False, {})
    assert trend.improving == {"a": 1, "b": 1}
    rising = order_trend({"a": flat + np.arange(11), "b": flat}, STEPS)
    assert rising is not None
    assert rising.improving == {"a": 0, "b": 1}


def test_one_evaluation_has_no_trend() -> None:
    assert order_trend({"a": np.ones((5, 1))}, [100]) is None
    assert order_trend({}, STEPS) is None
    two = order_trend({"a": np.ones((5, 2))}, [0, 100])
    assert two is not None
    assert two.slopes == {"a": 0.0}


@pytest.mark.parametrize("scores", [5.0, 0.1, 1e9])
def test_seeds_that_are_equal_to_rounding_warn_of_nothing(scores: float) -> None:
    curves = {"a": np.tile(scores / (1 + np.arange(1.0, 5.0)), (6, 1)), "b": np.full((6, 4), scores)}
    trend = order_trend(curves, [500, 1000, 1500, 2000])
    assert trend is not None
    assert trend.improving == {"a": 1.0, "b": 1.0}


def test_the_p_values_are_those_of_scipy() -> None:
    draw = rng(3)
    steps = [500, 1000, 1500, 2000]
    curves = {name: draw.normal(0, 1, (7, 4)) + 0.002 * np.array(steps) * k for k, name in enumerate("ab")}
    trend = order_trend(curves, steps)
    assert trend is not None
    late = {name: np.polyfit(steps[1:], c[:, 1:].T, 1)[0] for name, c in curves.items()}
    rising = [stats.ttest_1samp(late[name], 0, alternative="greater").pvalue for name in "ab"]
    assert trend.improving == pytest.approx(dict(zip("ab", holm(rising), strict=True)))
    assert trend.steady_leader == "b"
    gaining = stats.ttest_ind(late["a"], late["b"], equal_var=False, alternative="greater").pvalue
    assert trend.gaining == {"a": pytest.approx(gaining)}
