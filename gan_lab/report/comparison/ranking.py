"""The ranking of candidates by IQM, and how certain each rank is."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from gan_lab.report.comparison.bootstrap import Replicates, expanded_tail, percentile_interval
from gan_lab.report.comparison.scores import Floats, merit

_WORK = 2_000_000  # Candidates times resamples.


@dataclass(frozen=True)
class Rank:
    """The place of one candidate, 1 for the best; equals share the smaller number.

    interval: ranks that resamples reach, both ends of a tie included; p_best: the share of resamples in
    which no IQM is higher, split among ties. Both None where more than a quarter of the seeds diverged, so
    that the IQM is -inf: such a candidate is placed after all others and takes no part in resamples.
    """

    rank: int
    interval: tuple[int, int] | None
    p_best: float | None


def rank_candidates(
    scores: Mapping[str, Floats], replicates: Mapping[str, Replicates], level: float = 0.95
) -> dict[str, Rank]:
    """Rank candidates by their replicates, best first; those of equal rank by name.

    ``scores`` (S,) place those whose IQM is -inf.
    """
    ranked = sorted(name for name, r in replicates.items() if np.isfinite(r.estimate))
    others = sorted(set(replicates) - set(ranked), key=lambda name: merit(scores[name]), reverse=True)
    places = _rank_by_iqm({name: replicates[name] for name in ranked}, level) if ranked else {}
    merits = [merit(scores[name]) for name in others]
    places |= {
        name: Rank(len(ranked) + 1 + merits.index(m), None, None)
        for name, m in zip(others, merits, strict=True)
    }
    return dict(sorted(places.items(), key=lambda item: (item[1].rank, item[0])))


def _rank_by_iqm(replicates: Mapping[str, Replicates], level: float) -> dict[str, Rank]:
    estimates = np.array([[r.estimate] for r in replicates.values()])
    observed = stats.rankdata(-_without_rounding(estimates), method="min", axis=0)[:, 0]
    first, last, p_best = _ranks_of_resamples(
        [r.iqms[: _WORK // len(replicates)] for r in replicates.values()]
    )
    places = {}
    for i, (name, r) in enumerate(replicates.items()):
        tail, rank = expanded_tail(r.seeds, level), int(observed[i])
        low, high = percentile_interval(first[i], tail).low, percentile_interval(last[i], tail).high
        places[name] = Rank(rank, (min(int(low), rank), max(int(high), rank)), float(p_best[i]))
    return places


def _ranks_of_resamples(iqms: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """Rank A candidates in B resamples: first and last rank of ties, (A, B) each, and P(best), (A,)."""
    values = -_without_rounding(np.stack(iqms))
    first = stats.rankdata(values, method="min", axis=0)
    last = stats.rankdata(values, method="max", axis=0)
    best = first == 1
    return first, last, np.asarray((best / best.sum(axis=0)).mean(axis=1))


def _without_rounding(values: Floats) -> Floats:
    """Express values in units of 1e-12 of the largest, as whole numbers: rounding must not rank equals."""
    finite = np.abs(values[np.isfinite(values)])
    unit = 1e-12 * (finite.max() if finite.size else 1.0) or 1.0
    return np.asarray(np.round(values / unit))
