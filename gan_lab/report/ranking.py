"""The comparison of all candidates, as rows of a table in the metric's own units and direction."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_lab.report import comparison as statistics
from gan_lab.report.entries import Entry, Primary

Floats = NDArray[np.float64]
Rows = dict[str, Any]


def oriented(found: Sequence[Entry], metric: str, direction: str, worst: float | None, kind: str) -> Floats:
    """(S,) scores, higher is better; failed and undefined ones are -inf or the worst there is."""
    return statistics.orient_scores([entry.score(metric, kind) for entry in found], direction, worst)


def typical(values: Floats) -> float:
    """Interquartile mean of scores in which -inf may stand."""
    return statistics.iqm(values)


def by_candidate(found: Sequence[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in sorted(found, key=lambda entry: (entry.name, entry.seed.number)):
        groups.setdefault(entry.name, []).append(entry)
    return groups


def ranking(
    strata: Sequence[Mapping[str, Sequence[Entry]]], metric: Primary, reference: str, seed: int
) -> Rows:
    """Compare the candidates that all strata have; one stratum is told in the metric's units.

    Several strata are normalized by the statistics, and their scores have no unit: higher is better.
    """
    names = [name for name in strata[0] if all(name in stratum for stratum in strata)]
    scores = {
        name: [
            oriented(stratum[name], metric.name, metric.direction, metric.worst, "last") for stratum in strata
        ]
        for name in names
    }
    compared_with = reference if reference in names else names[0]
    entries = {name: [entry for stratum in strata for entry in stratum[name]] for name in names}
    if len(strata) > 1:
        return _overall(scores, compared_with, seed, entries)
    found = statistics.compare(
        {name: own[0] for name, own in scores.items()}, compared_with, direction=metric.direction, seed=seed
    )
    sign = -1.0 if metric.direction == "min" else 1.0
    rows = [
        _row(one, sign, one.name in found.tied)
        | _single(one, sign)
        | _counts(entries[one.name])
        | {"reference": one.name == found.reference}
        for one in found.candidates
    ]
    second = found.candidates[min(1, len(rows) - 1)]
    return {
        "rows": rows,
        "reference": found.reference,
        "winner": found.winner,
        "tied": list(found.tied),
        "exploratory": found.exploratory,
        "smallest_effect": second.minimum_detectable_effect,
        "smallest_effect_score": second.minimum_detectable_difference,
        "seeds_needed": second.required_seeds,
        "winner_bias": found.selection_bias,
        "winner_bias_score": found.selection_bias_difference,
        "profile": None,
        "seed": found.seed,
        "resamples": found.resamples,
        "level": found.level,
    }


def _overall(scores: statistics.Study, reference: str, seed: int, entries: Mapping[str, list[Entry]]) -> Rows:
    scales = [_scale(stratum) for stratum in zip(*scores.values(), strict=True)]
    found = statistics.compare_settings(scores, scales, reference, seed=seed)
    rows = [
        _row(one, 1.0, one.name in found.tied)
        | {"seeds": sum(one.seeds), "p": None, "p_holm": None}
        | _counts(entries[one.name])
        | {"reference": one.name == found.reference}
        for one in found.candidates
    ]
    scaled = {
        name: [scale(own) for scale, own in zip(scales, per_setting, strict=True)]
        for name, per_setting in scores.items()
    }
    return {
        "rows": rows,
        "reference": found.reference,
        "winner": found.winner,
        "tied": list(found.tied),
        "exploratory": len(found.test.untested) > len(rows) - 2,
        "smallest_effect": None,
        "smallest_effect_score": None,
        "seeds_needed": None,
        "winner_bias": 0.0,
        "winner_bias_score": None,
        "profile": _profile(scaled),
        "seed": found.seed,
        "resamples": found.resamples,
        "level": found.level,
    }


def _scale(stratum: Sequence[Floats]) -> statistics.Scale:
    """A setting's scale from the 5 % and 95 % quantiles of its finite scores over all candidates."""
    pooled = np.concatenate(stratum)
    finite = pooled[np.isfinite(pooled)]
    low, high = np.quantile(finite, (0.05, 0.95)) if len(finite) else (0.0, 1.0)
    return statistics.Scale(float(low), float(high) if low < high else float(low) + 1.0)


def side_by_side(found: Sequence[Entry], metric: Primary) -> Rows:
    """IQM over seeds of the final, the best and the mean-over-training score."""
    sign = -1.0 if metric.direction == "min" else 1.0
    return {
        kind: sign * typical(oriented(found, metric.name, metric.direction, metric.worst, kind))
        for kind in ("last", "best", "mean")
    }


def cost(found: Sequence[Entry]) -> float | None:
    """Milliseconds of training a step and seed, without metrics and diagnostics, over a candidate's runs."""
    runs = {entry.member.run.name: entry.member.run.status for entry in found}
    seconds = sum(r.seconds - r.metric_seconds - r.diagnostic_seconds for r in runs.values())
    steps = sum(r.step * len(r.seeds) for r in runs.values())
    return 1000 * seconds / steps if steps else None


def _profile(scores: statistics.Study) -> Rows:
    """Performance profiles over all settings: {"thresholds": [...], "shares": {name: [...]}}."""
    found = statistics.performance_profiles(scores)
    first = next(iter(found.values()))
    return {"thresholds": first.thresholds, "shares": {name: own.share for name, own in found.items()}}


def _row(one: statistics.CandidateSummary | statistics.OverallSummary, sign: float, tied: bool) -> Rows:
    return {
        "name": one.name,
        "failures": one.diverged,
        "iqm": sign * one.iqm,
        "interval": _turned(one.interval, sign),
        "difference": _times(one.difference, sign),
        "difference_interval": _turned(one.difference_interval, sign),
        "improvement": one.probability_better,
        "improvement_interval": _turned(one.probability_better_interval, 1.0),
        "rank": one.rank,
        "rank_interval": None if one.rank_interval is None else list(one.rank_interval),
        "p_best": one.p_best,
        "tied_with_best": tied,
    }


def _single(one: statistics.CandidateSummary, sign: float) -> Rows:
    return {
        "seeds": one.n,
        "median": sign * one.median,
        "mean": sign * one.mean,
        "worst": sign * one.minimum,
        "best": sign * one.maximum,
        "p": one.p,
        "p_holm": one.p_holm,
    }


def _counts(own: Sequence[Entry]) -> Rows:
    return {
        "diverged": sum(entry.state == "diverged" for entry in own),
        "failed": sum(entry.state == "failed" for entry in own),
        "ms_per_step": cost(own),
    }


def _times(value: float | None, sign: float) -> float | None:
    return None if value is None else sign * value


def _turned(interval: Sequence[float] | None, sign: float) -> list[float] | None:
    return None if interval is None else sorted(sign * end for end in interval)
