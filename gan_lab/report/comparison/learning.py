"""Did it learn: who scores better than an untrained generator."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gan_lab.report.comparison.permutation import permutation_test, separated_p
from gan_lab.report.comparison.probability import probability_better
from gan_lab.report.comparison.scores import Floats


@dataclass(frozen=True)
class LearningTest:
    """Who has learned. learned, not_learned, unknown: every candidate is in one of them.

    unknown: so few seeds that no difference, however large, could show it. p_values: one-sided, of "its
    seeds that did not diverge score no better than untrained ones", adjusted so that of those called
    learned 5 % at most are expected to have not. A candidate all of whose seeds diverged has not learned,
    with p = 1.
    """

    learned: list[str]
    not_learned: list[str]
    unknown: list[str]
    p_values: dict[str, float]
    method: str = "one-sided Brunner-Munzel permutation tests against untrained scores, Benjamini-Hochberg"


def learning_test(
    scores: Mapping[str, Floats],
    untrained: Mapping[str, Floats],
    *,
    least_gain: float = 0.0,
    alpha: float = 0.05,
    seed: int = 0,
) -> LearningTest:
    """Test which candidates' oriented scores (S,) are better than those of its untrained generators (U,).

    ``untrained`` holds each candidate's scores before the first step, per seed, or those of a group of
    untrained generators. ``least_gain``: how much better counts, in units of the score. Divergence is
    another matter: seeds that diverged are left out. If nobody learned, at most alpha of studies say that
    somebody did.
    """
    p_by_name: dict[str, float] = {}
    unknown = []
    for name, ours in scores.items():
        trained = ours[np.isfinite(ours)]
        before = untrained[name][np.isfinite(untrained[name])] + least_gain
        if not len(trained):
            p_by_name[name] = 1.0
        elif not len(before) or separated_p(len(trained), len(before)) / 2 > alpha:
            unknown.append(name)
        else:
            p_by_name[name] = _better_p(trained, before, seed)
    adjusted = stats.false_discovery_control(list(p_by_name.values())) if p_by_name else []
    p_by_name = {name: float(p) for name, p in zip(p_by_name, adjusted, strict=True)}
    return LearningTest(
        learned=[name for name, p in p_by_name.items() if p <= alpha],
        not_learned=[name for name, p in p_by_name.items() if p > alpha],
        unknown=unknown,
        p_values=p_by_name,
    )


def _better_p(x: Floats, y: Floats, seed: int) -> float:
    """Test "x beats y" one-sided: half of the two-sided p-value in its direction."""
    half = permutation_test(x, y, seed=seed) / 2
    return half if probability_better(x, y) > 0.5 else 1 - half
