"""Rows of a ranking: what the comparison says of each candidate, in the metric's own units and direction."""

from collections.abc import Sequence
from typing import Any

from gan_lab.report.comparison import (
    CandidateSummary,
    Comparison,
    OverallSummary,
    TunedCandidate,
    finite_iqm,
    iqm,
)
from gan_lab.report.declared import PrimaryMetric
from gan_lab.report.entries import DIVERGED, Entry
from gan_lab.report.scoring import Groups, oriented

Row = dict[str, Any]


def ranked_rows(found: Comparison, groups: Groups, metric: PrimaryMetric, reference: str | None) -> list[Row]:
    """Return one row per candidate, best first; only a ranked reference is compared with."""
    return [_row(one, groups[one.name], metric, reference) for one in found.candidates]


def unranked_row(name: str, entries: Sequence[Entry], metric: PrimaryMetric) -> Row:
    """Return the row of a candidate that is not ranked: its scores, and no rank, interval or test."""
    scores = oriented(entries, metric.name, metric.direction, metric.worst)
    finite = finite_iqm(scores)
    return {
        **_common(name, entries, metric),
        "iqm": metric.sign * iqm(scores),
        "finite_iqm": None if finite is None else metric.sign * finite,
    }


def overall_row(one: OverallSummary, reference: str | None) -> Row:
    """Return the row of a candidate over all settings, on the scale from untrained to real data."""
    against = reference is not None and one.name != reference
    return {
        "name": one.name,
        "reference": one.name == reference,
        "seeds": one.seeds,
        "diverged": one.diverged,
        "iqm": one.iqm,
        "interval": list(one.interval),
        "difference": one.difference if against else None,
        "difference_interval": _ends(one.difference_interval, 1.0) if against else None,
        "p_better": one.probability_better if against else None,
        "p_better_interval": _ends(one.probability_better_interval, 1.0) if against else None,
        "rank": one.rank,
        "rank_interval": list(one.rank_interval) if one.rank_interval else None,
        "p_best": one.p_best,
        "worse": one.worse,
        "p_worse": one.p_worse,
        "leads": one.leads,
    }


def tuned_row(one: TunedCandidate, metric: PrimaryMetric, values: Sequence[str]) -> Row:
    """Return the row of a candidate at its own best value of a tuning key."""
    return {
        "name": one.name,
        "best_value": values[one.best_value],
        "best_iqm": metric.sign * one.best_iqm,
        "tuned_iqm": metric.sign * one.tuned_iqm,
        "surviving": [values[k] for k in one.surviving],
        "worse": one.worse,
        "p_worse": one.p_worse,
    }


def _row(
    one: CandidateSummary, entries: Sequence[Entry], metric: PrimaryMetric, reference: str | None
) -> Row:
    sign = metric.sign
    return {
        **_common(one.name, entries, metric),
        "reference": one.name == reference,
        "exploratory": one.exploratory,
        "iqm": sign * one.iqm,
        "finite_iqm": _times(one.finite_iqm, sign),
        "interval": _ends(one.interval, sign),
        "interval_level": one.interval_level,
        "may_differ": one.may_differ,
        "median": sign * one.median,
        "mean": sign * one.mean,
        "worst_seed": sign * one.minimum,
        "best_seed": sign * one.maximum,
        **_against_reference(one, sign, reference),
        "rank": one.rank,
        "rank_interval": list(one.rank_interval) if one.rank_interval else None,
        "p_best": one.p_best,
        "worse": one.worse,
        "p_worse": one.p_worse,
        "p_winner": one.p_winner,
        "equivalent": one.equivalent,
        "p_equivalent": one.p_equivalent,
        "detectable": one.minimum_detectable_effect,
        "detectable_score": one.minimum_detectable_difference,
        "required_seeds": one.required_seeds,
        "side_by_side": _side_by_side(entries, metric),
    }


def _common(name: str, entries: Sequence[Entry], metric: PrimaryMetric) -> Row:
    return {
        "name": name,
        "seeds": len(entries),
        "diverged": sum(entry.state == DIVERGED for entry in entries),
        "scores": [{"seed": e.seed.number, "state": e.state, "value": e.score(metric.name)} for e in entries],
    }


def _against_reference(one: CandidateSummary, sign: float, reference: str | None) -> Row:
    against = reference is not None and one.name != reference
    return {
        "difference": _times(one.difference, sign) if against else None,
        "difference_interval": _ends(one.difference_interval, sign) if against else None,
        "ratio": one.ratio if against else None,
        "ratio_interval": _ends(one.ratio_interval, 1.0) if against else None,
        "p_better": one.probability_better if against else None,
        "p_better_interval": _ends(one.probability_better_interval, 1.0) if against else None,
        "p": one.p if against else None,
        "p_holm": one.p_holm if against else None,
    }


def _side_by_side(entries: Sequence[Entry], metric: PrimaryMetric) -> Row:
    """Return the IQM over seeds of the final, the best and the mean-over-training score."""
    return {
        kind: metric.sign * iqm(oriented(entries, metric.name, metric.direction, metric.worst, kind))
        for kind in ("last", "best", "mean")
    }


def _times(value: float | None, sign: float) -> float | None:
    return None if value is None else sign * value


def _ends(interval: Sequence[float] | None, sign: float) -> list[float] | None:
    return None if interval is None else sorted(sign * end for end in interval)
