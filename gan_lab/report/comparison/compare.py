"""The comparison of all candidates with a declared reference, and with the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_lab.report.comparison.bootstrap import (
    Interval,
    Resamples,
    percentile_interval,
    probability_better,
    ranks,
    resampled_probability_better,
    safe_difference,
)
from gan_lab.report.comparison.permutation import holm, permutation_test
from gan_lab.report.comparison.power import (
    FEWEST_SEEDS,
    can_reject,
    minimum_detectable_effect,
    pooled_sd,
    required_seeds,
    selection_bias,
)
from gan_lab.report.comparison.scores import Floats, Study, check_study, iqm, mean, normalize_scores
from gan_lab.utils.errors import ConfigurationError

Arrays = Mapping[str, Sequence[Floats]]


@dataclass(frozen=True)
class CandidateSummary:
    """n: seeds over all settings; failures: those of them that are -inf; scores: as compared, by setting.

    difference, probability_better and p are against the reference, None for the reference itself, p also in
    an exploratory comparison; p_holm is corrected for all tests against the reference. rank_interval holds
    the ranks from 1 that resamples reach, both ends of a tie included; p_best is the share of resamples in
    which no IQM is higher, split among ties.
    """

    name: str
    n: int
    failures: int
    scores: list[list[float]]
    iqm: float
    interval: Interval
    median: float
    mean: float
    minimum: float
    maximum: float
    difference: float | None
    difference_interval: Interval | None
    probability_better: float | None
    probability_better_interval: Interval | None
    p: float | None
    p_holm: float | None
    rank: int
    rank_interval: tuple[int, int]
    p_best: float
    tied_with_best: bool


@dataclass(frozen=True)
class Comparison:
    """Candidates, best first, and what may be said of them.

    tied: the best and those that its tests do not tell from it; winner: the best, where nobody is tied with
    it and its rank interval is [1, 1]; exploratory: somebody has fewer than five seeds in a setting, so
    that nothing is tested and all are tied. minimum_detectable_effect: in standard
    deviations, of the candidate with the fewest seeds, None where no difference could be significant;
    required_seeds: to separate the two best, None for more than 1,000; selection_bias: in standard
    deviations; minimum_detectable_difference and selection_bias_difference: the same in units of the scores;
    pooled_sd: one standard deviation in these units, None where nothing varies.
    """

    candidates: list[CandidateSummary]
    reference: str
    winner: str | None
    tied: list[str]
    exploratory: bool
    minimum_detectable_effect: float | None
    minimum_detectable_difference: float | None
    required_seeds: int | None
    selection_bias: float
    selection_bias_difference: float | None
    pooled_sd: float | None
    seed: int
    resamples: int
    level: float


def make_rng(seed: int, *words: str) -> np.random.Generator:
    """A stream of its own for each use and name, so that no other candidate changes what is drawn."""
    return np.random.default_rng([seed, *"\0".join(words).encode()])


def compare(
    study: Study,
    reference: str,
    *,
    scales: Sequence[tuple[float, float]] | None = None,
    seed: int = 0,
    resamples: int = 9_999,
    level: float = 0.95,
) -> Comparison:
    """Everything about one study; ``level`` is that of intervals, and 1 - level that of tests.

    Scores of several settings, or with ``scales``, are compared as `normalize_scores` gives them. Not tied
    with the best is who loses to it in Holm-corrected tests of everybody against the observed best. By
    simulation of eight equal candidates with ten seeds, each is left out in 1 to 3 % of studies, and anyone
    at all in 8 to 11 %, because the best was picked for its scores; a single winner was never named.

    Raises `ConfigurationError` where the reference is not a candidate or the study is none.
    """
    raw = check_study(study)
    if reference not in raw:
        raise ConfigurationError(
            f"the reference {reference!r} is not among the candidates {', '.join(sorted(raw)) or '(none)'}"
        )
    arrays = normalize_scores(raw, scales) if scales is not None or len(raw[reference]) > 1 else raw
    names = sorted(arrays, key=lambda name: _sort_key(name, arrays[name]))
    exploratory = min(len(scores) for own in arrays.values() for scores in own) < FEWEST_SEEDS
    failures = {name: sum(int(np.isneginf(s).sum()) for s in own) for name, own in raw.items()}
    drawn = {n: Resamples.draw(arrays[n], resamples, make_rng(seed, "bootstrap", n)) for n in names}
    against_reference = {} if exploratory else _tests(arrays, reference, seed, resamples)
    against_best = {} if exploratory else _tests(arrays, names[0], seed, resamples)
    best = arrays[names[0]]
    worse = {
        n
        for n, (_, p) in against_best.items()
        if p <= 1 - level and probability_better(best, arrays[n]) > 0.5
    }
    tied = [name for name in names if name not in worse]

    ranked = _ranks(drawn, level)
    candidates = [
        CandidateSummary(
            name=name,
            n=sum(len(scores) for scores in arrays[name]),
            failures=failures[name],
            **_summary(drawn[name], level),
            **_against(drawn[name], None if name == reference else drawn[reference], level),
            p=against_reference[name][0] if name in against_reference else None,
            p_holm=against_reference[name][1] if name in against_reference else None,
            **ranked[name],
            tied_with_best=name in tied,
        )
        for name in names
    ]
    certain = candidates[0].rank_interval == (1, 1) and tied == names[:1] and len(names) > 1
    return Comparison(
        candidates=candidates,
        reference=reference,
        winner=names[0] if certain else None,
        tied=tied,
        exploratory=exploratory,
        **_power_analysis(arrays, names, seed, level),
        seed=seed,
        resamples=resamples,
        level=level,
    )


def _sort_key(name: str, scores: Sequence[Floats]) -> tuple[float, float, float, str]:
    """Sorts the best first; names decide between equals, so that the order of the study does not."""
    pooled = np.concatenate(scores)
    return -iqm(pooled), -float(np.median(pooled)), -mean(pooled), name


def _tests(arrays: Arrays, against: str, seed: int, resamples: int) -> dict[str, tuple[float, float]]:
    """p-value of every other candidate, as it is and corrected."""
    others = sorted(name for name in arrays if name != against)
    found = []
    for name in others:
        pair = sorted((name, against))  # the test is symmetric, and then so are its random numbers
        rng = make_rng(seed, "permutation", *pair)
        found.append(permutation_test(*(arrays[n] for n in pair), rng=rng, resamples=resamples))
    return dict(zip(others, zip(found, holm(found), strict=True), strict=True))


def _summary(drawn: Resamples, level: float) -> dict[str, Any]:
    pooled = np.concatenate(drawn.scores)
    return {
        "scores": [scores.tolist() for scores in drawn.scores],
        "iqm": iqm(pooled),
        "interval": percentile_interval(drawn.iqms, level),
        "median": float(np.median(pooled)),
        "mean": mean(pooled),
        "minimum": float(pooled.min()),
        "maximum": float(pooled.max()),
    }


def _against(drawn: Resamples, reference: Resamples | None, level: float) -> dict[str, Any]:
    """Difference of IQMs and probability of improvement, of independent samples."""
    if reference is None:
        fields = ("difference", "difference_interval", "probability_better", "probability_better_interval")
        return dict.fromkeys(fields)
    own, other = (np.array([iqm(np.concatenate(d.scores))]) for d in (drawn, reference))
    return {
        "difference": float(safe_difference(own, other)[0]),
        "difference_interval": percentile_interval(safe_difference(drawn.iqms, reference.iqms), level),
        "probability_better": probability_better(drawn.scores, reference.scores),
        "probability_better_interval": percentile_interval(
            resampled_probability_better(drawn, reference), level
        ),
    }


def _ranks(drawn: Mapping[str, Resamples], level: float) -> dict[str, dict[str, Any]]:
    """Rank of each IQM among all, where it lies in resamples, and how often it is the highest."""
    observed = np.array([[iqm(np.concatenate(own.scores))] for own in drawn.values()])
    replicates = np.stack([own.iqms for own in drawn.values()])
    first, last = ranks(replicates, "min"), ranks(replicates, "max")
    highest = (first == 1) / (first == 1).sum(axis=0)
    return {
        name: {
            "rank": int(rank),
            "rank_interval": (
                int(percentile_interval(first[i], level).low),
                int(percentile_interval(last[i], level).high),
            ),
            "p_best": float(highest[i].mean()),
        }
        for i, (name, rank) in enumerate(zip(drawn, ranks(observed, "min")[:, 0], strict=True))
    }


def _power_analysis(arrays: Arrays, names: Sequence[str], seed: int, level: float) -> dict[str, Any]:
    """What the study could have seen, what would separate its two best, and what choosing the best does."""
    seeds = {name: sum(len(scores) for scores in own) for name, own in arrays.items()}
    fewest = min(arrays, key=lambda name: seeds[name])
    comparisons = len(names) - 1
    pairs = [(len(scores), len(scores)) for scores in arrays[fewest]]
    possible = can_reject(pairs, comparisons, level)
    effect = minimum_detectable_effect(seeds[fewest], comparisons, level=level) if possible else None
    bias = selection_bias(list(seeds.values()), make_rng(seed, "winner"))
    unit = pooled_sd([scores for own in arrays.values() for scores in own])
    two = [arrays[name] for name in names[:2]]
    return {
        "minimum_detectable_effect": effect,
        "minimum_detectable_difference": None if effect is None or unit is None else effect * unit,
        "required_seeds": required_seeds(*two, level=level) if len(two) == 2 else None,
        "selection_bias": bias,
        "selection_bias_difference": None if unit is None else bias * unit,
        "pooled_sd": unit,
    }
