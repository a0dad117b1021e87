"""The comparison over values of a tuning key: each candidate at its own best value."""

from dataclasses import dataclass

import numpy as np

from gan_lab.report.comparison.claims import WorseTest, worse_test
from gan_lab.report.comparison.scores import Floats, Study, check_study, iqm, merit


@dataclass(frozen=True)
class TunedCandidate:
    """A candidate at its own best value.

    best_value: the index of the value with the highest IQM; best_iqm: there, and flattered by the choice.
    tuned_iqm: of scores of seeds that took no part in choosing their value, which is what tuning with one
    seed less yields. surviving: values that nobody is shown to beat. worse: no value survives. p_worse: the
    largest adjusted p-value of its values, None where one was not tested.
    """

    name: str
    best_value: int
    best_iqm: float
    tuned_iqm: float
    surviving: list[int]
    worse: bool
    p_worse: float | None


@dataclass(frozen=True)
class TunedComparison:
    """Candidates, best first by tuned_iqm. winner: the only one of which a value survives.

    p: the largest p_worse of all others. test: over all (candidate, value) arms, named "candidate @ index
    of value".
    """

    candidates: list[TunedCandidate]
    winner: str | None
    p: float | None
    worse: list[str]
    tied: list[str]
    test: WorseTest


def compare_tuned(study: Study, *, alpha: float = 0.05, seed: int = 0) -> TunedComparison:
    """Compare candidates with oriented scores (S,) per value of a tuning key, each at its own best value.

    Every (candidate, value) is an arm of the test "scored worse", and a candidate is worse only where all
    of its arms drop, so that picking the best value favors nobody. Simulated error .01 to .04; power for
    two standard deviations, seven candidates and three values: .67, .88 and 1 with 8, 10 and 16 seeds.
    """
    arrays = check_study(study)
    arms = {_arm(name, k): scores for name, values in arrays.items() for k, scores in enumerate(values)}
    test = worse_test(arms, alpha=alpha, seed=seed)
    candidates = [_tuned(name, values, test) for name, values in arrays.items()]
    candidates.sort(key=lambda one: (-one.tuned_iqm, -one.best_iqm, one.name))
    tied = [one.name for one in candidates if not one.worse]
    others = [one.p_worse for one in candidates if one.name != tied[0]]
    p = max(p for p in others if p is not None) if others and None not in others else None
    return TunedComparison(
        candidates=candidates,
        winner=tied[0] if len(tied) == 1 and len(candidates) > 1 else None,
        p=p if len(tied) == 1 else None,
        worse=[one.name for one in candidates if one.worse],
        tied=tied,
        test=test,
    )


def _arm(name: str, value: int) -> str:
    return f"{name} @ {value}"


def _tuned(name: str, values: list[Floats], test: WorseTest) -> TunedCandidate:
    best = max(range(len(values)), key=lambda k: merit(values[k]))
    surviving = [k for k in range(len(values)) if _arm(name, k) not in test.worse]
    p = [test.p_values.get(_arm(name, k)) for k in range(len(values))]
    return TunedCandidate(
        name=name,
        best_value=best,
        best_iqm=iqm(values[best]),
        tuned_iqm=iqm(_cross_fitted(values)),
        surviving=surviving,
        worse=not surviving,
        p_worse=None if None in p else max(q for q in p if q is not None),
    )


def _cross_fitted(values: list[Floats]) -> Floats:
    """Score each seed at the value that all other seeds prefer, (n,); n is the fewest seeds of a value."""
    seeds = min(len(scores) for scores in values)
    if seeds < 2:
        return max(values, key=merit)
    scores = []
    for left_out in range(seeds):
        preferred = max(values, key=lambda s: iqm(np.delete(s, left_out)))
        scores.append(preferred[left_out])
    return np.array(scores)
