"""The ranking and its certainty."""

import numpy as np
import pytest

from gan_lab.report.comparison.bootstrap import Replicates
from gan_lab.report.comparison.ranking import Rank, rank_candidates
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import INF, normal_scores


def ranked(scores: dict[str, Floats]) -> dict[str, Rank]:
    return rank_candidates(scores, {name: Replicates.draw(name, s) for name, s in scores.items()})


def test_ranks_of_candidates_that_do_not_overlap_are_certain() -> None:
    ranks = ranked(normal_scores(3, 10, c0=9.0, c2=20.0))
    assert ranks == {"c2": Rank(1, (1, 1), 1.0), "c0": Rank(2, (2, 2), 0.0), "c1": Rank(3, (3, 3), 0.0)}
    assert list(ranks) == ["c2", "c0", "c1"]


def test_equals_share_a_rank_whatever_their_names_and_numbers_of_seeds() -> None:
    ranks = ranked({"b": np.full(7, 0.1), "a": np.full(12, 0.1), "c": np.zeros(5)})
    assert ranks == {"a": Rank(1, (1, 2), 0.5), "b": Rank(1, (1, 2), 0.5), "c": Rank(3, (3, 3), 0.0)}


def test_p_best_is_that_of_two_normal_means() -> None:
    """IQMs of resamples of n scores vary like their mean, roughly: P(best) = Phi(difference / error)."""
    scores = np.linspace(-1, 1, 40)
    ranks = ranked({"a": scores + 0.2, "b": scores})
    assert ranks["a"].p_best == pytest.approx(0.82, abs=0.06)
    assert sum(rank.p_best or 0 for rank in ranks.values()) == pytest.approx(1)


def test_who_diverged_in_more_than_a_quarter_of_seeds_is_last_and_has_no_share_of_p_best() -> None:
    """Not listed last with the highest P(best)."""
    scores = normal_scores(3, 10) | {"torn": np.r_[np.full(3, -INF), np.full(7, 9.0)]}
    scores |= {"half": np.r_[np.full(5, -INF), np.full(5, 99.0)], "lost": np.full(10, -INF)}
    ranks = ranked(scores)
    assert list(ranks)[3:] == ["torn", "half", "lost"]
    assert [ranks[name] for name in ("torn", "half", "lost")] == [Rank(k, None, None) for k in (4, 5, 6)]
    assert sum(ranks[f"c{i}"].p_best or 0 for i in range(3)) == pytest.approx(1)
    assert all((ranks[f"c{i}"].interval or (9, 9))[1] <= 3 for i in range(3))


def test_who_diverged_in_a_quarter_is_ranked_by_the_others() -> None:
    scores = normal_scores(2, 10) | {"torn": np.r_[np.full(2, -INF), np.full(8, 9.0)]}
    rank = ranked(scores)["torn"]
    assert (rank.rank, rank.interval) == (1, (1, 3))
    # P(at most two of ten resampled seeds diverged)
    assert rank.p_best == pytest.approx(0.678, abs=0.02)


def test_all_diverged_are_equal() -> None:
    assert set(ranked(dict.fromkeys("abc", np.full(4, -INF))).values()) == {Rank(1, None, None)}
