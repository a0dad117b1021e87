"""Equivalence within a margin, against scipy's trimmed t-test and by hand."""

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import Margin, equivalence_test
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.studies import INF, normal_scores, rng


@pytest.mark.parametrize(("n", "m"), [(6, 6), (10, 10), (5, 9)])
def test_p_of_two_is_scipys_trimmed_welch_test_shifted_by_the_margin(n: int, m: int) -> None:
    x, y = rng(1).normal(0, 2, size=n), rng(2).normal(0.2, 1, size=m)
    p = equivalence_test({"x": x, "y": y}, Margin(1.5)).p_values
    for name, ours, theirs in (("x", x, y), ("y", y, x)):
        expected = stats.ttest_ind(ours + 1.5, theirs, equal_var=False, trim=0.25, alternative="greater")
        assert p[name] == pytest.approx(expected.pvalue)


def test_a_share_is_that_of_the_others_cost_or_score() -> None:
    x, y = rng(1).normal(100, 2, size=10), rng(2).normal(103, 2, size=10)
    costs = equivalence_test({"x": -x, "y": -y}, Margin(0.05, share=True), direction="min").p_values
    expected = stats.ttest_ind(1.05 * x, y, equal_var=False, trim=0.25, alternative="greater")
    assert costs["y"] == pytest.approx(expected.pvalue)
    scores = equivalence_test({"x": x, "y": y}, Margin(0.05, share=True)).p_values
    expected = stats.ttest_ind(x, 0.95 * y, equal_var=False, trim=0.25, alternative="greater")
    assert scores["x"] == pytest.approx(expected.pvalue)


def test_who_lies_within_the_margin_of_the_best_is_equivalent_and_nobody_else() -> None:
    scores = normal_scores(4, 30, c1=-0.1, c2=-8.0)
    test = equivalence_test(scores, Margin(2.0))
    assert sorted(test.equivalent) == ["c0", "c1", "c3"]
    assert test.p_values["c2"] == 1
    # Holm's factor is at most K - 1, for the best is within any margin of itself.
    worst = max(
        stats.ttest_ind(
            scores["c1"] + 2, scores[other], equal_var=False, trim=0.25, alternative="greater"
        ).pvalue
        for other in ("c0", "c3")
    )
    assert worst <= test.p_values["c1"] <= 3 * worst * (1 + 1e-9)


def test_few_seeds_do_not_show_equivalence() -> None:
    assert equivalence_test(normal_scores(2, 5), Margin(0.1)).equivalent == []
    exploratory = equivalence_test({"a": np.zeros(9), "b": np.zeros(4)}, Margin(1.0))
    assert (exploratory.equivalent, exploratory.p_values) == ([], {})


def test_diverged_seeds_and_equal_scores() -> None:
    torn = np.r_[np.full(3, -INF), np.zeros(7)]
    test = equivalence_test(
        {"a": rng(1).normal(size=10), "torn": torn, "lost": np.full(10, -INF)}, Margin(99.0)
    )
    assert (test.equivalent, test.p_values["torn"], test.p_values["lost"]) == (["a"], 1, 1)
    # Twenty equal scores show that fewer than a quarter of seeds differ; five do not.
    same = equivalence_test({"a": np.ones(20), "b": np.ones(20)}, Margin(0.1))
    assert same.p_values == pytest.approx({"a": 0.75**20, "b": 0.75**20})
    assert equivalence_test({"a": np.ones(5), "b": np.ones(5)}, Margin(0.1)).equivalent == []


@pytest.mark.parametrize("margin", [Margin(0.0), Margin(-1.0), Margin(1.0, share=True), Margin(float("nan"))])
def test_a_margin_that_is_none_is_refused(margin: Margin) -> None:
    with pytest.raises(ConfigurationError, match="the margin must be positive"):
        equivalence_test(normal_scores(2, 9), margin)
