"""The analysis of one setting: who learned, who is better, how surely, and whether the order will hold."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gan_lab.report import comparison, details
from gan_lab.report.comparison.scores import Floats
from gan_lab.report.cost import compare_costs
from gan_lab.report.declared import DeclaredMargin, PrimaryMetric
from gan_lab.report.entries import Entry, by_candidate
from gan_lab.report.ranking import ranked_rows, unranked_row
from gan_lab.report.sample_grid import sample_rows
from gan_lab.report.scoring import Anchors, Groups, anchors, learning_arrays, least_gain, primary_scores

Part = dict[str, Any]
SEED = 0  # of all resamples and permutations, told in the report
# Of the way from an untrained generator to real data: who has come less far has not learned.
LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Question:
    """What is asked of every setting."""

    metric: PrimaryMetric
    reference: str | None
    margin: DeclaredMargin | None
    detailed: bool = True


@dataclass(frozen=True)
class Evidence:
    """What one setting has on disk: complete candidates, their scores, and anchors."""

    groups: dict[str, list[Entry]]
    scores: dict[str, Floats]
    anchors: Anchors

    @classmethod
    def of(cls, entries: Sequence[Entry], metric: PrimaryMetric) -> "Evidence":
        groups = by_candidate(entries)
        return cls(groups, primary_scores(groups, metric), anchors(groups, metric))


def analyze_setting(evidence: Evidence, asked: Question, notes: list[str]) -> Part:
    """Analyze the complete candidates of one setting."""
    metric = asked.metric
    learning = who_learned(evidence, metric)
    unranked = [*learning["not_learned"], *learning["diverged"]]
    ranked = {name: scores for name, scores in evidence.scores.items() if name not in unranked}
    part = _compare(ranked, evidence.groups, asked)
    gain = least_gain(evidence.anchors, metric, LEAST_SHARE)
    rows = [
        {
            **unranked_row(name, evidence.groups[name], metric),
            "seeds_learned": _seeds_learned(evidence, name, metric, gain),
        }
        for name in unranked
    ]
    rows.sort(key=lambda row: _sort_key(row, metric))
    names = [row["name"] for row in part["rows"]]
    order = [*names, *(row["name"] for row in rows)]
    groups = {name: evidence.groups[name] for name in order}
    return {
        **part,
        "unranked": rows,
        "order": order,
        "learning": learning,
        "anchors": _anchors(evidence.anchors, metric),
        "trend": _trend({name: groups[name] for name in names}, metric),
        "curves": details.learning_curves(groups, metric),
        "cost": compare_costs(groups),
        **_details(groups, asked, notes),
    }


def who_learned(evidence: Evidence, metric: PrimaryMetric) -> Part:
    """Test which candidates score better than untrained generators."""
    diverged = [name for name, scores in evidence.scores.items() if not np.isfinite(scores).any()]
    untrained = {
        name: comparison.orient_scores(values, metric.direction, metric.worst)
        for name, values in evidence.anchors.untrained.items()
        if name not in diverged
    }
    gain = least_gain(evidence.anchors, metric, LEAST_SHARE)
    found = comparison.learning_test(
        {name: evidence.scores[name] for name in untrained}, untrained, least_gain=gain, seed=SEED
    )
    return {
        **asdict(found),
        "diverged": diverged,
        "not_measured": [name for name in evidence.scores if name not in untrained and name not in diverged],
        "least_share": LEAST_SHARE if gain else 0.0,
    }


def _seeds_learned(evidence: Evidence, name: str, metric: PrimaryMetric, gain: float) -> int:
    """Count the seeds that score better than every untrained generator of the candidate."""
    untrained = evidence.anchors.untrained.get(name, [])
    best = comparison.orient_scores(untrained, metric.direction, metric.worst).max(initial=-np.inf)
    return int((evidence.scores[name] > best + gain).sum()) if np.isfinite(best) else 0


def _compare(scores: Mapping[str, Floats], groups: Groups, asked: Question) -> Part:
    if not scores:
        empty = {"winner": None, "all_equal": False, "exploratory": False, "tests": None}
        return {"rows": [], "reference": None, "tied": [], "worse": [], **empty}
    reference = asked.reference if asked.reference in scores else None
    found = comparison.compare(
        scores,
        reference or next(iter(scores)),
        margin=asked.margin.margin if asked.margin else None,
        direction=asked.metric.direction,
        seed=SEED,
    )
    sign = asked.metric.sign
    return {
        "rows": ranked_rows(found, groups, asked.metric, reference),
        "reference": reference,
        "winner": found.winner,
        "tied": found.tied,
        "worse": found.worse,
        "all_equal": found.all_equal,
        "exploratory": found.exploratory if len(scores) > 1 else found.candidates[0].exploratory,
        "tests": {
            "winner": asdict(found.winner_test),
            "worse": asdict(found.worse_test),
            "equivalence": asdict(found.equivalence_test) if found.equivalence_test else None,
        },
        "selection_bias": found.selection_bias,
        "selection_bias_score": found.selection_bias_difference,
        "score_sd": found.pooled_sd,
        "level": found.level,
        "resamples": found.resamples,
        "seed": found.seed,
        "sign": sign,
    }


def _anchors(anchors: Anchors, metric: PrimaryMetric) -> Part:
    """Return what real data and untrained generators score, in the metric's units; None if not measured."""
    pooled = [value for values in anchors.untrained.values() for value in values]
    finite = [value for value in pooled if value is not None]
    untrained = None
    if finite:
        middle = metric.sign * comparison.iqm(comparison.orient_scores(finite, metric.direction))
        untrained = {"iqm": middle, "low": min(finite), "high": max(finite), "seeds": len(finite)}
    real = {"mean": anchors.real_mean, "sd": anchors.real_sd, "draws": anchors.real}
    return {"real_data": real if anchors.real else None, "untrained": untrained}


def _trend(groups: Groups, metric: PrimaryMetric) -> Part | None:
    """Return whether the order will hold, with scores and slopes in the metric's units."""
    arrays, steps = learning_arrays(groups, metric)
    found = comparison.order_trend(arrays, steps)
    if found is None:
        return None
    sign = metric.sign
    return {
        **asdict(found),
        "iqms": {name: [sign * value for value in values] for name, values in found.iqms.items()},
        "slopes": {name: None if s is None else sign * s for name, s in found.slopes.items()},
    }


def _details(groups: Groups, asked: Question, notes: list[str]) -> Part:
    """Return the sections beside the ranking, none if there are too many settings to show them."""
    if not asked.detailed:
        return {"health": None, "secondary": None, "grid": None, "samples": None}
    return {
        "health": details.unit_health(groups),
        "secondary": details.secondary_metrics(groups, asked.metric, notes),
        "grid": details.pairwise_table(groups, asked.metric),
        "samples": sample_rows(groups),
    }


def _sort_key(row: Part, metric: PrimaryMetric) -> tuple[float, str]:
    value = row["finite_iqm"]
    return np.inf if value is None else -metric.sign * value, row["name"]
