"""The overall winner over several settings: better on the average, and behind nobody anywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gan_lab.report.comparison.claims import FEWEST_SEEDS, LARGEST_RATIO, seeds_of_pair
from gan_lab.report.comparison.permutation import permutation_test
from gan_lab.report.comparison.probability import probability_better
from gan_lab.report.comparison.rng import make_rng
from gan_lab.report.comparison.scores import Floats, Scale, Study, iqm
from gan_lab.report.comparison.step_down import StepDown, step_down
from gan_lab.report.comparison.welch import welch_maxima, welch_statistics

Scores = Mapping[str, Floats]


@dataclass(frozen=True)
class Behind:
    """A setting in which somebody is ahead of the overall leader.

    p: two-sided, of a Brunner-Munzel permutation test, None where one has fewer than five seeds.
    significant: p <= alpha, not corrected, for it is a veto.
    """

    setting: int
    rival: str
    p: float | None
    significant: bool


@dataclass(frozen=True)
class OverallTest:
    """Who is best over several settings, numbered in the order given.

    leader: the highest mean over settings of IQMs on their scales, None where two share it. winner: the
    leader if everybody else is called worse, it leads in every setting and nobody is significantly better
    in any. p: the largest of p_values, which hold that of "scored worse" of each tested candidate, adjusted
    for all pairs. worse: by the same test. behind: what speaks against the leader. untested: candidates
    with fewer than five seeds in some setting. shortened: settings of which only the first seeds were
    tested, because their numbers differ by more than half.
    """

    leader: str | None
    winner: str | None
    p: float | None
    p_values: dict[str, float]
    worse: list[str]
    behind: list[Behind]
    untested: list[str]
    shortened: list[int]
    permutations: int
    method: str = "step-down max-T permutation test within settings, all pairs, Welch's t of unweighted means"


def overall_test(study: Study, scales: Sequence[Scale], *, alpha: float = 0.05, seed: int = 0) -> OverallTest:
    """Test for an overall winner by oriented scores (S,) per candidate and setting, and scales of settings.

    Simulated share of studies of seven that name a winner although all are equal: none; although another is
    better by three standard deviations in one setting: .00; power with a lead of two everywhere: .96 with
    eight seeds.
    """
    scaled = {
        name: [scale(scores) for scale, scores in zip(scales, settings, strict=True)]
        for name, settings in study.items()
    }
    means = {name: float(np.mean([iqm(scores) for scores in settings])) for name, settings in scaled.items()}
    untested = [name for name, settings in study.items() if min(map(len, settings)) < FEWEST_SEEDS]
    tested = {name: settings for name, settings in scaled.items() if name not in untested}
    seeds = [_seeds([len(s[k]) for s in tested.values()]) for k in range(len(scales))]
    samples = {
        name: [s[:n] for s, n in zip(settings, seeds, strict=True)] for name, settings in tested.items()
    }
    steps = _worse(samples, means, alpha, seed)
    leaders = [name for name in means if means[name] == max(means.values())]
    leader = leaders[0] if len(leaders) == 1 else None
    behind = [] if leader is None else _behind(leader, study, alpha, seed)
    others = {name: p for name, p in steps.p_values.items() if name != leader}
    alone = leader in tested and len(others) > 0 and set(steps.dropped) == set(others)
    return OverallTest(
        leader=leader,
        winner=leader if alone and not behind else None,
        p=max(others.values()) if leader in tested and others else None,
        p_values=steps.p_values,
        worse=steps.dropped,
        behind=behind,
        untested=untested,
        shortened=[k for k, n in enumerate(seeds) if n is not None],
        permutations=steps.permutations,
    )


def _seeds(counts: Sequence[int]) -> int | None:
    """Choose how many first seeds of a setting to test: all (None), the fewest if numbers differ by half."""
    return min(counts) if counts and max(counts) > LARGEST_RATIO * min(counts) else None


def _worse(
    samples: Mapping[str, list[Floats]], means: Mapping[str, float], alpha: float, seed: int
) -> StepDown:
    """Find who is worse on the average; nobody is worse than who has the lower mean of IQMs."""

    def by_setting(alive: list[str]) -> list[list[Floats]]:
        return [list(setting) for setting in zip(*(samples[name] for name in alive), strict=True)]

    def statistics(alive: list[str]) -> Floats:
        mean = np.array([means[name] for name in alive])
        higher = mean[:, None] > mean[None, :]
        return np.where(higher, np.maximum(welch_statistics(by_setting(alive)), 0.0), 0.0)

    def null(alive: list[str]) -> Floats:
        return welch_maxima(by_setting(alive), make_rng(seed, "overall", *alive))

    return step_down(sorted(samples), statistics, null, alpha)


def _behind(leader: str, study: Study, alpha: float, seed: int) -> list[Behind]:
    """List settings in which another's IQM is higher than the leader's, or its seeds significantly better."""
    listed = []
    for k, ours in enumerate(study[leader]):
        for name, settings in study.items():
            theirs, p = settings[k], None
            if name == leader:
                continue
            ahead = iqm(theirs) > iqm(ours)
            n, m = seeds_of_pair(len(ours), len(theirs))
            better = probability_better(theirs[:m], ours[:n]) > 0.5
            if min(n, m) >= FEWEST_SEEDS and (ahead or better):
                p = permutation_test(ours[:n], theirs[:m], seed=seed)
            significant = better and p is not None and p <= alpha
            if ahead or significant:
                listed.append(Behind(k, name, p, significant))
    return listed
