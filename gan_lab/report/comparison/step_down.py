"""The step-down of a joint test of all pairs: who drops out of the set of candidates, and how surely."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gan_lab.report.comparison.permutation import critical_value, p_values
from gan_lab.report.comparison.scores import Floats


@dataclass(frozen=True)
class StepDown:
    """Who dropped out, and how surely.

    dropped: names, in the order of the steps. p_values: adjusted for all pairs. beaten_by: for each who
    dropped, who beats it most clearly. critical: the statistic that a pair of all had to exceed.
    permutations: of the first step.
    """

    dropped: list[str]
    p_values: dict[str, float]
    beaten_by: dict[str, str]
    critical: float | None
    permutations: int


def step_down(
    names: Sequence[str],
    statistics: Callable[[list[str]], Floats],
    null: Callable[[list[str]], Floats],
    alpha: float,
) -> StepDown:
    """Drop, step by step, whom a survivor beats by a statistic that is significant among pairs of survivors.

    Romano & Wolf (2005); Hansen, Lunde & Nason (2011). ``statistics`` maps K survivors to a (K, K) matrix,
    positive where the first may be called better than the second; ``null`` maps them to B sorted maxima
    over all pairs if all are equal.
    """
    alive, dropped, reached = list(names), [], 0.0
    p_by_name: dict[str, float] = {}
    beaten_by: dict[str, str] = {}
    critical, count = None, 0
    while len(alive) > 1:
        maxima, t = null(alive), statistics(alive)
        if critical is None:
            critical, count = critical_value(maxima, alpha), len(maxima)
        p = np.maximum(p_values(maxima, t.max(axis=0)), reached).tolist()
        p_by_name |= dict(zip(alive, p, strict=True))
        out = [i for i in range(len(alive)) if p[i] <= alpha]
        beaten_by |= {alive[i]: alive[int(t[:, i].argmax())] for i in out}
        dropped += [alive[i] for i in out]
        if not out:
            break
        reached = max(p[i] for i in out)
        alive = [name for i, name in enumerate(alive) if i not in out]
    return StepDown(dropped, p_by_name, beaten_by, critical, count)
