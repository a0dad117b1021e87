"""Who learned at all, where the right answer is known."""

import math

import numpy as np
import pytest

from gan_lab.report.comparison import learning_test
from tests.helpers.studies import INF, rng


def test_who_is_above_untrained_generators_has_learned() -> None:
    untrained = {name: rng(i).normal(-0.663, 0.001, size=6) for i, name in enumerate("abc")}
    scores = {
        "a": np.linspace(-0.2, -0.1, 6),
        "b": rng(9).normal(-0.663, 0.001, size=6),
        "c": untrained["c"] - 0.2,
    }
    test = learning_test(scores, untrained)
    assert (test.learned, test.not_learned, test.unknown) == (["a"], ["b", "c"], [])
    # One of three at the smallest one-sided p of six against six.
    assert test.p_values["a"] == pytest.approx(3 / math.comb(12, 6))
    assert test.p_values["c"] == pytest.approx(1, abs=0.01)


def test_nobody_has_learned_where_all_score_like_untrained_generators() -> None:
    names = ("relu", "elu", "tanh", "sigmoid")
    untrained = {name: rng(i).normal(-0.663, 0.001, size=6) for i, name in enumerate(names)}
    scores = {name: rng(i + 10).normal(-0.663, 0.001, size=6) for i, name in enumerate(names)}
    test = learning_test(scores, untrained)
    assert (test.learned, sorted(test.not_learned)) == ([], sorted(names))


def test_all_of_many_have_learned_with_five_seeds() -> None:
    """A correction for the largest number of false claims would never let 36 pass at five seeds."""
    scores = {f"c{i}": np.arange(5.0) + 10 for i in range(36)}
    test = learning_test(scores, dict.fromkeys(scores, np.arange(5.0)))
    assert len(test.learned) == 36
    assert list(test.p_values.values()) == pytest.approx([1 / math.comb(10, 5)] * 36)


def test_a_gain_that_does_not_count_is_no_learning() -> None:
    scores, untrained = {"a": np.arange(8.0) + 10}, {"a": np.arange(8.0)}
    assert learning_test(scores, untrained, least_gain=2.0).learned == ["a"]
    assert learning_test(scores, untrained, least_gain=20.0).learned == []


def test_diverged_seeds_are_another_matter() -> None:
    torn = np.r_[np.full(3, -INF), np.arange(7.0) + 10]
    untrained = {"torn": np.arange(10.0), "lost": np.arange(10.0)}
    test = learning_test({"torn": torn, "lost": np.full(10, -INF)}, untrained)
    assert (test.learned, test.not_learned, test.p_values["lost"]) == (["torn"], ["lost"], 1)


def test_too_few_seeds_leave_it_unknown() -> None:
    """Two against two have six arrangements; against 40 untrained ones, 861."""
    two = np.array([10.0, 11.0])
    assert learning_test({"a": two}, {"a": np.arange(2.0)}).unknown == ["a"]
    assert learning_test({"a": two}, {"a": np.arange(40.0) / 9}).learned == ["a"]
    assert learning_test({"a": two}, {"a": np.empty(0)}).unknown == ["a"]
    assert learning_test({}, {}).learned == []
