"""Racing over seeds: who is out at which look, so that 5 % holds for the whole race.

A group-sequential design. All candidates get a first group of seeds; at each look whoever scored worse than a
survivor is out, and the others get more. Looking several times at 5 % errs in 10 to 14 % of races. Here the
error is spent: a share t of the most seeds has spent alpha t (Lan & DeMets 1983, Biometrika 70:659; the power
family of Kim & DeMets 1987 with exponent 1), and what is spent between two looks is the level of the later
one. These levels sum to alpha, so by Bonferroni's inequality one of the equally best is dropped at any look
with a probability of at most alpha, however the looks depend on one another. The levels are fixed by the
numbers of seeds alone, before anything is trained.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from gan_lab.report.comparison.claims import FEWEST_SEEDS, worse_test
from gan_lab.report.comparison.equivalence import Margin, equivalence_test
from gan_lab.report.comparison.permutation import smallest_joint_p
from gan_lab.report.comparison.scores import Floats
from gan_lab.utils.errors import ConfigurationError

FIRST_SHARE = 4  # The first look is at a quarter of the most seeds, or as soon as it can reject.


@dataclass(frozen=True)
class RacePlan:
    """What is fixed before a race. looks: seeds of each survivor at each look; levels: of the tests there."""

    looks: tuple[int, ...]
    levels: tuple[float, ...]
    alpha: float


@dataclass(frozen=True)
class Look:
    """What one look has decided.

    seeds: of each survivor; level: of the tests. p_values: of "scored worse" among the survivors, adjusted
    for all pairs at this look alone. dropped: who is out -> who beat it most clearly. p_equivalent: likewise
    of "within the margin of the best", empty without a margin. equivalent: whether all who are left are.
    """

    seeds: int
    level: float
    p_values: dict[str, float]
    dropped: dict[str, str]
    p_equivalent: dict[str, float] = field(default_factory=dict)
    equivalent: bool = False


def plan_race(candidates: int, seeds: int, alpha: float = 0.05) -> RacePlan:
    """Fix the looks of a race of so many candidates with at most so many ``seeds`` each, and their levels.

    The first look is the first from a quarter of the seeds on at which the joint test of all candidates can
    reject at its level; every further one has twice as many seeds, the last one all: 8, 16 and 32 for seven
    candidates. Raises ConfigurationError where no look can reject.
    """
    first = max(FEWEST_SEEDS, math.ceil(seeds / FIRST_SHARE))
    while first <= seeds and smallest_joint_p([first] * candidates) > alpha * first / seeds:
        first += 1
    if first > seeds:
        needed = _fewest(candidates, alpha)
        raise ConfigurationError(
            f"race.seeds must be at least {needed} for {candidates} candidates, because nobody can be "
            f"called worse with fewer, got {seeds}"
        )
    looks = [first]
    while looks[-1] < seeds:
        looks.append(min(2 * looks[-1], seeds))
    spent = [alpha * n / seeds for n in (0, *looks)]
    return RacePlan(tuple(looks), tuple(b - a for a, b in pairwise(spent)), alpha)


def take_look(
    scores: Mapping[str, Floats], level: float, *, margin: Margin | None = None, direction: str = "max"
) -> Look:
    """Decide who of the survivors is out, by their scores (S,), as many of each.

    The test is `worse_test` at ``level``. With a margin, whether all who are left are within it of the best.
    """
    test = worse_test(scores, alpha=level)
    dropped = {name: test.beaten_by[name] for name in test.worse}
    left = {name: s for name, s in scores.items() if name not in dropped}
    p_equivalent: dict[str, float] = {}
    if margin is not None and len(left) > 1:
        p_equivalent = equivalence_test(left, margin, direction=direction, alpha=level).p_values
    within = [name for name, p in p_equivalent.items() if p <= level]
    (seeds,) = {len(s) for s in scores.values()}
    return Look(seeds, level, test.p_values, dropped, p_equivalent, 1 < len(left) == len(within))


@dataclass
class Race:
    """A race as far as it has come: candidates, and the looks that have been taken."""

    candidates: Sequence[str]
    plan: RacePlan
    looks: list[Look] = field(default_factory=list)

    @property
    def survivors(self) -> list[str]:
        out = {name for look in self.looks for name in look.dropped}
        return [name for name in self.candidates if name not in out]

    @property
    def end(self) -> str:
        """Why the race is over: "winner", "equivalent" or "seeds"; empty while it is not."""
        if len(self.survivors) < 2:
            return "winner"
        if self.looks and self.looks[-1].equivalent:
            return "equivalent"
        return "seeds" if len(self.looks) == len(self.plan.looks) else ""

    @property
    def next_seeds(self) -> int:
        """Seeds that each survivor has at the next look."""
        return self.plan.looks[len(self.looks)]

    def take_look(
        self, scores: Mapping[str, Floats], *, margin: Margin | None = None, direction: str = "max"
    ) -> Look:
        """Decide by the survivors' first `next_seeds` scores, and remember it."""
        n, level = self.next_seeds, self.plan.levels[len(self.looks)]
        now = {name: scores[name][:n] for name in self.survivors}
        self.looks.append(take_look(now, level, margin=margin, direction=direction))
        return self.looks[-1]


def p_worse(looks: Sequence[Look], alpha: float) -> dict[str, float]:
    """Adjust p-values of "scored worse" for all looks: at most alpha for those who are out, and only those.

    The p-value at a look with a share w of alpha counts as p / w, and the smallest over the looks as the
    candidate's, the weighted Bonferroni correction (Rosenthal & Rubin 1983). At most 1.
    """
    adjusted: dict[str, float] = {}
    for look in looks:
        for name, p in look.p_values.items():
            adjusted[name] = min(adjusted.get(name, 1.0), p * alpha / look.level)
    return adjusted


def p_equivalent(looks: Sequence[Look], alpha: float) -> dict[str, float]:
    """Adjust the last look's p-values of "equivalent to the best" for all looks, in the same way."""
    if not looks:
        return {}
    return {name: min(p * alpha / looks[-1].level, 1.0) for name, p in looks[-1].p_equivalent.items()}


def _fewest(candidates: int, alpha: float) -> int:
    """Return the fewest seeds with which a race of so many candidates is possible: one look, at the end."""
    seeds = FEWEST_SEEDS
    while smallest_joint_p([seeds] * candidates) > alpha:
        seeds += 1
    return seeds
