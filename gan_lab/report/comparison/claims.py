"""The two claims of a verdict: who is the winner, and who scored worse.

They are two tests. That the leader is the winner is tested against every other candidate without correction:
all of these tests must reject, so the error stays 5 % however many they are. That somebody scored worse is
tested for all pairs jointly. Both follow pairs of seeds (ranks) and claim nothing that the ranking, by IQM,
contradicts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gan_lab.report.comparison.brunner_munzel import brunner_munzel
from gan_lab.report.comparison.permutation import (
    maxima,
    permutation_test,
    smallest_joint_p,
    smallest_seeds,
)
from gan_lab.report.comparison.probability import probability_better
from gan_lab.report.comparison.rng import make_rng
from gan_lab.report.comparison.scores import Floats, iqm, order_of
from gan_lab.report.comparison.step_down import step_down

FEWEST_SEEDS = 5  # A candidate with fewer is exploratory: no test takes it.
LARGEST_RATIO = 1.5  # Of numbers of seeds, beyond which unequal spreads break the tests.

Scores = Mapping[str, Floats]


@dataclass(frozen=True)
class WinnerTest:
    """Claim A: the leader is better than every other candidate.

    leader: the highest IQM of tested candidates, None where two share it or it is -inf. winner: the leader
    if p <= alpha. p: the largest of p_values, which holds the two-sided p-value of the leader against each
    other candidate, 1 where pairs of seeds do not favor the leader. seeds: seeds used, (of the leader, of
    the other). exploratory: candidates with fewer than five seeds, which are not tested; nobody is the
    winner where one of them scores as high as the leader.
    """

    leader: str | None
    winner: str | None
    p: float | None
    p_values: dict[str, float]
    seeds: dict[str, tuple[int, int]]
    exploratory: list[str]
    method: str = "Brunner-Munzel permutation tests of the leader against every other, intersection-union"


@dataclass(frozen=True)
class WorseTest:
    """Claim B: a candidate scored worse than one that was not called worse itself.

    worse: candidates in the order in which they dropped. p_values: adjusted for all pairs, of tested
    candidates. beaten_by: for each worse candidate, who beats it most clearly. seeds: how many first seeds
    of each tested candidate were used. shortened: whether seeds were left out to make their numbers alike.
    too_few: candidates left out, with their seeds, because with so few the test could not reject.
    smallest_seeds: the seeds each that a test of all candidates takes. critical: the T that any pair of the
    tested ones must exceed, None where nothing was tested. permutations: of the first step.
    """

    worse: list[str]
    p_values: dict[str, float]
    beaten_by: dict[str, str]
    seeds: dict[str, int]
    shortened: bool
    too_few: dict[str, int]
    smallest_seeds: int
    critical: float | None
    permutations: int
    method: str = "step-down max-T permutation test of all pairs by the Brunner-Munzel statistic"


def winner_test(scores: Scores, *, alpha: float = 0.05, seed: int = 0) -> WinnerTest:
    """Test whether the leader beats every other candidate (Gutmann & Maymin 1987); scores are (S,) each.

    Simulated error with two tied leaders, which is the worst case: about .05 for any number of candidates.
    """
    tested = {name: s for name, s in scores.items() if len(s) >= FEWEST_SEEDS}
    exploratory = [name for name in scores if name not in tested]
    iqms = {name: iqm(s) for name, s in scores.items()}
    leaders = [name for name in tested if iqms[name] == max(iqms[other] for other in tested)]
    if len(leaders) != 1 or not np.isfinite(iqms[leaders[0]]):
        return WinnerTest(None, None, None, {}, {}, exploratory)
    (leader,) = leaders
    p_by_name, seeds = {}, {}
    for name in tested:
        if name != leader:
            n, m = seeds[name] = seeds_of_pair(len(tested[leader]), len(tested[name]))
            ours, theirs = tested[leader][:n], tested[name][:m]
            p_by_name[name] = 1.0
            if probability_better(ours, theirs) > 0.5:
                p_by_name[name] = permutation_test(ours, theirs, seed=seed)
    p = max(p_by_name.values()) if p_by_name else None
    certain = p is not None and p <= alpha and all(iqms[name] < iqms[leader] for name in exploratory)
    return WinnerTest(leader, leader if certain else None, p, p_by_name, seeds, exploratory)


def worse_test(scores: Scores, *, alpha: float = 0.05, seed: int = 0) -> WorseTest:
    """Find the candidates that scored worse, by step-down max-T over all pairs; scores are (S,) each.

    In the surviving set a candidate drops where somebody of it, higher in the ranking, beats it by a T that
    at most a share alpha of joint shuffles of the set reaches in any pair; repeated with who is left
    (Romano & Wolf 2005; Hansen, Lunde & Nason 2011). Simulated share of studies in which somebody is
    falsely called worse: at most about .06, .07 where spreads differ.
    """
    seeds, too_few = plan_seeds({name: len(scores[name]) for name in sorted(scores)}, alpha)
    samples = {name: scores[name][:n] for name, n in seeds.items()}
    steps = step_down(
        list(samples),
        lambda alive: _statistics([samples[name] for name in alive]),
        lambda alive: maxima([samples[name] for name in alive], make_rng(seed, "joint", *alive)),
        alpha,
    )
    return WorseTest(
        worse=steps.dropped,
        p_values=steps.p_values,
        beaten_by=steps.beaten_by,
        seeds=seeds,
        shortened=any(n < len(scores[name]) for name, n in seeds.items()),
        too_few=too_few,
        smallest_seeds=max(smallest_seeds(len(scores), alpha), FEWEST_SEEDS),
        critical=steps.critical,
        permutations=steps.permutations,
    )


def seeds_of_pair(n: int, m: int) -> tuple[int, int]:
    """Return how many seeds of each a test of two takes: all, or the first min(n, m) of both.

    The latter where one has more than 1.5 times as many as the other.
    """
    return (n, m) if max(n, m) <= LARGEST_RATIO * min(n, m) else (min(n, m), min(n, m))


def plan_seeds(counts: Mapping[str, int], alpha: float = 0.05) -> tuple[dict[str, int], dict[str, int]]:
    """Choose whom the joint test takes, and how many first seeds of each, by the numbers of seeds alone.

    Where these differ by more than half, the smallest number of all. While the test could not reject at
    all, the candidates with the fewest seeds are left out. Returns the seeds used, empty where nothing can
    be tested, and the seeds of those left out.
    """
    tested = {name: n for name, n in counts.items() if n >= FEWEST_SEEDS}
    while len(tested) > 1:
        fewest, most = min(tested.values()), max(tested.values())
        seeds = dict.fromkeys(tested, fewest) if most > LARGEST_RATIO * fewest else tested
        if smallest_joint_p(seeds.values()) <= alpha:
            return seeds, {name: n for name, n in counts.items() if name not in seeds}
        tested = {name: n for name, n in tested.items() if n > fewest}
    return {}, dict(counts)


def _statistics(samples: Sequence[Floats]) -> Floats:
    """Compute T of every pair of K samples where the first ranks higher, 0 elsewhere, (K, K)."""
    order = order_of(samples)
    return np.where(order[:, None] > order[None, :], np.maximum(brunner_munzel(samples), 0.0), 0.0)
