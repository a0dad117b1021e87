"""The comparison over several settings: each by itself, then on the average, on scales fixed beforehand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_lab.report.comparison.bootstrap import RESAMPLES, Interval, Replicates, weighted_interval
from gan_lab.report.comparison.compare import Comparison, compare
from gan_lab.report.comparison.equivalence import Margin
from gan_lab.report.comparison.overall import OverallTest, overall_test
from gan_lab.report.comparison.probability import (
    mean_probability_interval,
    probability_better,
    probability_better_interval,
)
from gan_lab.report.comparison.ranking import rank_candidates
from gan_lab.report.comparison.scores import Scale, Study, check_study
from gan_lab.utils.errors import ConfigurationError


@dataclass(frozen=True)
class OverallSummary:
    """What all settings together say of one candidate.

    seeds: per setting; diverged: over all settings. iqm: the mean over settings of IQMs on the settings'
    scales, 0 for an untrained generator and 1 for real data. difference and probability_better, the mean
    over settings, compare with the reference, None for itself. p_worse: adjusted for all pairs, None where
    not tested. leads: settings in which it has rank 1.
    """

    name: str
    seeds: list[int]
    diverged: int
    iqm: float
    interval: Interval
    difference: float | None
    difference_interval: Interval | None
    probability_better: float | None
    probability_better_interval: Interval | None
    rank: int
    rank_interval: tuple[int, int] | None
    p_best: float | None
    worse: bool
    p_worse: float | None
    leads: list[int]


@dataclass(frozen=True)
class Reversal:
    """A candidate that leads in some settings and is significantly behind the leader of others."""

    name: str
    leads: list[int]
    behind: list[int]


@dataclass(frozen=True)
class SettingsComparison:
    """The verdict over several settings, numbered in the order given.

    settings: each one's own comparison. candidates: over all of them, best first. winner, worse: of
    `OverallTest`. tied: the winner, or without one everybody who is not called worse.
    """

    settings: list[Comparison]
    candidates: list[OverallSummary]
    reference: str
    winner: str | None
    worse: list[str]
    tied: list[str]
    test: OverallTest
    reversals: list[Reversal]
    seed: int
    resamples: int
    level: float


def compare_settings(
    study: Study,
    scales: Sequence[Scale],
    reference: str,
    *,
    margins: Sequence[Margin | None] | None = None,
    direction: str = "max",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> SettingsComparison:
    """Compare candidates by oriented scores (S,) in each of several settings, which all candidates have.

    ``scales`` holds one `Scale` per setting, fixed beforehand, so that no candidate's score depends on who
    else was tried; ``margins`` one margin per setting. The rest is as in `compare`.
    """
    arrays = check_study(study)
    count = len(next(iter(arrays.values()), []))
    if len(scales) != count:
        raise ConfigurationError(f"{count} settings need as many scales, got {len(scales)}")
    comparisons = [
        compare(
            {name: settings[k] for name, settings in arrays.items()},
            reference,
            margin=margin,
            direction=direction,
            seed=seed,
            resamples=resamples,
            level=level,
        )
        for k, margin in zip(range(count), margins or [None] * count, strict=True)
    ]
    test = overall_test(arrays, scales, alpha=1 - level, seed=seed)
    candidates = _summaries(arrays, scales, reference, test, comparisons, seed, resamples, level)
    names = [one.name for one in candidates]
    return SettingsComparison(
        settings=comparisons,
        candidates=candidates,
        reference=reference,
        winner=test.winner,
        worse=[name for name in names if name in test.worse],
        tied=[name for name in names if name not in test.worse] if test.winner is None else [test.winner],
        test=test,
        reversals=_reversals(names, comparisons, 1 - level),
        seed=seed,
        resamples=resamples,
        level=level,
    )


def _summaries(
    arrays: Study,
    scales: Sequence[Scale],
    reference: str,
    test: OverallTest,
    comparisons: Sequence[Comparison],
    seed: int,
    resamples: int,
    level: float,
) -> list[OverallSummary]:
    """Summarize every candidate over all settings, best first."""
    terms = {
        name: [
            Replicates.draw(f"{name}\0{k}", scale(scores), seed=seed, resamples=resamples)
            for k, (scale, scores) in enumerate(zip(scales, settings, strict=True))
        ]
        for name, settings in arrays.items()
    }
    ranks = rank_candidates({}, {name: _mean(replicates) for name, replicates in terms.items()}, level)
    weight = 1 / len(scales)
    return [
        OverallSummary(
            name=name,
            seeds=[len(scores) for scores in arrays[name]],
            diverged=sum(int(np.isneginf(scores).sum()) for scores in arrays[name]),
            iqm=_mean(terms[name]).estimate,
            interval=weighted_interval([(weight, r) for r in terms[name]], level),
            **_against_reference(name, reference, arrays, terms, level),
            rank=rank.rank,
            rank_interval=rank.interval,
            p_best=rank.p_best,
            worse=name in test.worse,
            p_worse=test.p_values.get(name),
            leads=_leads(name, comparisons),
        )
        for name, rank in ranks.items()
    ]


def _mean(replicates: Sequence[Replicates]) -> Replicates:
    """Average the replicates of several settings, each (B,)."""
    return Replicates(
        float(np.mean([r.estimate for r in replicates])),
        min(r.seeds for r in replicates),
        np.asarray(np.mean([r.iqms for r in replicates], axis=0)),
    )


def _against_reference(
    name: str, reference: str, arrays: Study, terms: Mapping[str, Sequence[Replicates]], level: float
) -> dict[str, Any]:
    """Compare a candidate with the reference: mean differences and P(better) over settings."""
    if name == reference:
        fields = ("difference", "difference_interval", "probability_better", "probability_better_interval")
        return dict.fromkeys(fields)
    weight = 1 / len(terms[name])
    pairs = list(zip(arrays[name], arrays[reference], strict=True))
    shares = np.array([probability_better(x, y) for x, y in pairs])
    intervals = [probability_better_interval(x, y, level) for x, y in pairs]
    differences = [(weight, r) for r in terms[name]] + [(-weight, r) for r in terms[reference]]
    return {
        "difference": float(sum(w * r.estimate for w, r in differences)),
        "difference_interval": weighted_interval(differences, level),
        "probability_better": float(shares.mean()),
        "probability_better_interval": mean_probability_interval(shares, intervals),
    }


def _leads(name: str, comparisons: Sequence[Comparison]) -> list[int]:
    return [
        k
        for k, comparison in enumerate(comparisons)
        if any(one.rank == 1 and one.name == name for one in comparison.candidates)
    ]


def _reversals(names: Sequence[str], comparisons: Sequence[Comparison], alpha: float) -> list[Reversal]:
    """List the candidates that lead somewhere and are significantly behind the leader elsewhere."""
    reversals = []
    for name in names:
        leads = _leads(name, comparisons)
        behind = [k for k, c in enumerate(comparisons) if c.winner_test.p_values.get(name, 1.0) <= alpha]
        if leads and behind:
            reversals.append(Reversal(name, leads, behind))
    return reversals
