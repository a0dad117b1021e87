"""The comparison of all candidates with a declared reference, and with the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_lab.report.comparison.bootstrap import (
    Interval,
    Resamples,
    differences,
    improvement,
    improvements,
    percentile_interval,
    ranks,
)
from gan_lab.report.comparison.permutation import holm, permutation_test
from gan_lab.report.comparison.power import (
    FEWEST_SEEDS,
    can_reject,
    detectable_effect,
    seeds_to_separate,
    spread,
    winner_bias,
)
from gan_lab.report.comparison.scores import Floats, Study, checked, iqm, mean, normalize
from gan_lab.utils.errors import ConfigurationError

Arrays = Mapping[str, Sequence[Floats]]


@dataclass(frozen=True)
class Candidate:
    """n: seeds over all settings; failures: those of them that are -inf; scores: as compared, by setting.

    difference, improvement and p are against the reference, None for the reference itself, p also in an
    exploratory comparison; p_holm is corrected for all tests against the reference. rank_interval holds the
    ranks from 1 that resamples reach, both ends of a tie included; p_best is the share of resamples in which
    no IQM is higher, split among ties.
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
    improvement: float | None
    improvement_interval: Interval | None
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
    that nothing is tested and all are tied. smallest_effect: in standard deviations, `detectable_effect` of
    the candidate with the fewest seeds, None where no difference could be significant; seeds_needed: to
    separate the two best, None for more than 1,000; winner_bias: in standard deviations; spread: one
    of them in units of the scores, None where nothing varies.
    """

    candidates: list[Candidate]
    reference: str
    winner: str | None
    tied: list[str]
    exploratory: bool
    smallest_effect: float | None
    smallest_effect_score: float | None
    seeds_needed: int | None
    winner_bias: float
    winner_bias_score: float | None
    spread: float | None
    seed: int
    resamples: int
    level: float


def generator(seed: int, *words: str) -> np.random.Generator:
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

    Scores of several settings, or with ``scales``, are compared as `normalize` gives them. Not tied with the
    best is who loses to it in Holm-corrected tests of everybody against the observed best. By simulation of
    eight equal candidates with ten seeds, each is left out in 1 to 3 % of studies, and anyone at all in 8 to
    11 %, because the best was picked for its scores; a single winner was never named.

    Raises `ConfigurationError` where the reference is not a candidate or the study is none.
    """
    raw = checked(study)
    if reference not in raw:
        raise ConfigurationError(
            f"the reference {reference!r} is not among the candidates {', '.join(sorted(raw)) or '(none)'}"
        )
    arrays = normalize(raw, scales) if scales is not None or len(raw[reference]) > 1 else raw
    names = sorted(arrays, key=lambda name: _merit(name, arrays[name]))
    exploratory = min(len(scores) for own in arrays.values() for scores in own) < FEWEST_SEEDS
    failures = {name: sum(int(np.isneginf(s).sum()) for s in own) for name, own in raw.items()}
    drawn = {n: Resamples.draw(arrays[n], resamples, generator(seed, "bootstrap", n)) for n in names}
    against_reference = {} if exploratory else _tests(arrays, reference, seed, resamples)
    against_best = {} if exploratory else _tests(arrays, names[0], seed, resamples)
    best = arrays[names[0]]
    worse = {n for n, (_, p) in against_best.items() if p <= 1 - level and improvement(best, arrays[n]) > 0.5}
    tied = [name for name in names if name not in worse]

    ranked = _ranks(drawn, level)
    candidates = [
        Candidate(
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
        **_reach(arrays, names, seed, level),
        seed=seed,
        resamples=resamples,
        level=level,
    )


def _merit(name: str, scores: Sequence[Floats]) -> tuple[float, float, float, str]:
    """Sorts the best first; names decide between equals, so that the order of the study does not."""
    pooled = np.concatenate(scores)
    return -iqm(pooled), -float(np.median(pooled)), -mean(pooled), name


def _tests(arrays: Arrays, against: str, seed: int, resamples: int) -> dict[str, tuple[float, float]]:
    """p-value of every other candidate, as it is and corrected."""
    others = sorted(name for name in arrays if name != against)
    found = []
    for name in others:
        pair = sorted((name, against))  # the test is symmetric, and then so are its random numbers
        rng = generator(seed, "permutation", *pair)
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
        fields = ("difference", "difference_interval", "improvement", "improvement_interval")
        return dict.fromkeys(fields)
    own, other = (np.array([iqm(np.concatenate(d.scores))]) for d in (drawn, reference))
    return {
        "difference": float(differences(own, other)[0]),
        "difference_interval": percentile_interval(differences(drawn.iqms, reference.iqms), level),
        "improvement": improvement(drawn.scores, reference.scores),
        "improvement_interval": percentile_interval(improvements(drawn, reference), level),
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


def _reach(arrays: Arrays, names: Sequence[str], seed: int, level: float) -> dict[str, Any]:
    """What the study could have seen, what would separate its two best, and what choosing the best does."""
    seeds = {name: sum(len(scores) for scores in own) for name, own in arrays.items()}
    fewest = min(arrays, key=lambda name: seeds[name])
    comparisons = len(names) - 1
    pairs = [(len(scores), len(scores)) for scores in arrays[fewest]]
    possible = can_reject(pairs, comparisons, level)
    effect = detectable_effect(seeds[fewest], comparisons, level=level) if possible else None
    bias = winner_bias(list(seeds.values()), generator(seed, "winner"))
    unit = spread([scores for own in arrays.values() for scores in own])
    two = [arrays[name] for name in names[:2]]
    return {
        "smallest_effect": effect,
        "smallest_effect_score": None if effect is None or unit is None else effect * unit,
        "seeds_needed": seeds_to_separate(*two, level=level) if len(two) == 2 else None,
        "winner_bias": bias,
        "winner_bias_score": None if unit is None else bias * unit,
        "spread": unit,
    }
