"""The comparison of all candidates in one setting: with a declared reference, and with the best of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_lab.report.comparison.bootstrap import (
    RESAMPLES,
    Interval,
    Replicates,
    attained_level,
    difference_interval,
    iqm_interval,
    ratio_interval,
    safe_difference,
)
from gan_lab.report.comparison.claims import (
    FEWEST_SEEDS,
    WinnerTest,
    WorseTest,
    seeds_of_pair,
    winner_test,
    worse_test,
)
from gan_lab.report.comparison.equivalence import EquivalenceTest, Margin, equivalence_test
from gan_lab.report.comparison.permutation import holm, permutation_test
from gan_lab.report.comparison.power import (
    minimum_detectable_effect,
    pooled_sd,
    required_seeds,
    selection_bias,
)
from gan_lab.report.comparison.probability import probability_better, probability_better_interval
from gan_lab.report.comparison.ranking import rank_candidates
from gan_lab.report.comparison.scores import Floats, check_scores, finite_iqm, mean
from gan_lab.utils.errors import ConfigurationError

Scores = Mapping[str, Floats]


@dataclass(frozen=True)
class CandidateSummary:
    """What a study says of one candidate.

    n: seeds; diverged: those of them that are -inf; exploratory: n is under five, so that no test takes it.
    iqm is -inf where more than a quarter of the seeds diverged; finite_iqm is that of the others, None
    where there are none. interval_level: what the interval of the IQM reaches (.94 of five seeds, less of
    fewer). may_differ: where all n scores are equal, the share of seeds that may still differ, 1 -
    .05^(1/n); None otherwise.

    difference, ratio, probability_better and p compare with the reference, None for the reference itself;
    ratio (of the candidate's cost to the reference's, by IQMs of logarithms) only for positive costs; p and
    p_holm, corrected for all tests against the reference, None where one of the two is exploratory.

    rank, rank_interval and p_best as in `Rank`. worse, p_worse: claim B, None where not tested. p_winner:
    of the leader against this candidate, claim A. equivalent, p_equivalent: None without a margin.
    minimum_detectable_effect: the difference from the best, in standard deviations, that claim B finds four
    times out of five with the seeds of these two, None where none can be found;
    minimum_detectable_difference: in units of the score. required_seeds: each, to tell the candidate from
    the best in a study of these two, if they differ as they did here; None for the best itself and for more
    than 1,000.
    """

    name: str
    n: int
    diverged: int
    exploratory: bool
    scores: list[float]
    iqm: float
    finite_iqm: float | None
    interval: Interval
    interval_level: float
    may_differ: float | None
    median: float
    mean: float
    minimum: float
    maximum: float
    difference: float | None
    difference_interval: Interval | None
    ratio: float | None
    ratio_interval: Interval | None
    probability_better: float | None
    probability_better_interval: Interval | None
    p: float | None
    p_holm: float | None
    rank: int
    rank_interval: tuple[int, int] | None
    p_best: float | None
    worse: bool
    p_worse: float | None
    p_winner: float | None
    equivalent: bool | None
    p_equivalent: float | None
    minimum_detectable_effect: float | None
    minimum_detectable_difference: float | None
    required_seeds: int | None


@dataclass(frozen=True)
class Comparison:
    """Candidates, best first, and what may be said of them.

    winner: claim A; worse: claim B; tied: the winner, or without one everybody whom no test calls worse.
    all_equal: every score of every candidate is the same. exploratory: fewer than two candidates can be
    tested. selection_bias: by how much the best looks better than it is if all are equal, in standard
    deviations, and as a difference in units of the score; pooled_sd: one standard deviation in these units,
    None where nothing varies.
    """

    candidates: list[CandidateSummary]
    reference: str
    winner: str | None
    worse: list[str]
    tied: list[str]
    all_equal: bool
    exploratory: bool
    winner_test: WinnerTest
    worse_test: WorseTest
    equivalence_test: EquivalenceTest | None
    selection_bias: float
    selection_bias_difference: float | None
    pooled_sd: float | None
    seed: int
    resamples: int
    level: float


def compare(
    scores: Scores,
    reference: str,
    *,
    margin: Margin | None = None,
    direction: str = "max",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Comparison:
    """Compare candidates by oriented scores (S,) each, in one setting.

    ``level`` is that of intervals, 1 - level that of tests. ``direction`` is the metric's before
    `orient_scores` ("min": a cost, its negative is compared), which a
    margin that is a share, and ratios, need. Raises `ConfigurationError` where the reference is not a
    candidate, or scores are NaN, infinite or none.
    """
    samples = check_scores(scores)
    if reference not in samples:
        names = ", ".join(sorted(samples)) or "(none)"
        raise ConfigurationError(f"the reference {reference!r} is not among the candidates {names}")
    replicates = {n: Replicates.draw(n, s, seed=seed, resamples=resamples) for n, s in samples.items()}
    ranks = rank_candidates(samples, replicates, level)
    winner = winner_test(samples, alpha=1 - level, seed=seed)
    worse = worse_test(samples, alpha=1 - level, seed=seed)
    equivalence = None
    if margin is not None:
        equivalence = equivalence_test(samples, margin, direction=direction, alpha=1 - level)
    against = _against_reference(
        samples, replicates, reference, level, direction=direction, seed=seed, resamples=resamples
    )
    unit = pooled_sd(list(samples.values()))
    best = next(iter(ranks))
    candidates = [
        CandidateSummary(
            name=name,
            **_summary(samples[name], replicates[name], level),
            **against[name],
            rank=rank.rank,
            rank_interval=rank.interval,
            p_best=rank.p_best,
            worse=name in worse.worse,
            p_worse=worse.p_values.get(name),
            p_winner=winner.p_values.get(name),
            equivalent=None if equivalence is None else name in equivalence.equivalent,
            p_equivalent=None if equivalence is None else equivalence.p_values.get(name),
            **_power(name, best, samples, worse, unit),
        )
        for name, rank in ranks.items()
    ]
    tied = [name for name in ranks if name not in worse.worse]
    bias = selection_bias([len(s) for s in samples.values()])
    pooled = np.concatenate(list(samples.values()))
    return Comparison(
        candidates=candidates,
        reference=reference,
        winner=winner.winner,
        worse=[name for name in ranks if name in worse.worse],
        tied=tied if winner.winner is None else [winner.winner],
        all_equal=bool((pooled == pooled[0]).all()),
        exploratory=sum(not one.exploratory for one in candidates) < 2,
        winner_test=winner,
        worse_test=worse,
        equivalence_test=equivalence,
        selection_bias=bias,
        selection_bias_difference=None if unit is None else bias * unit,
        pooled_sd=unit,
        seed=seed,
        resamples=resamples,
        level=level,
    )


def _summary(scores: Floats, replicates: Replicates, level: float) -> dict[str, Any]:
    n = len(scores)
    return {
        "n": n,
        "diverged": int(np.isneginf(scores).sum()),
        "exploratory": n < FEWEST_SEEDS,
        "scores": scores.tolist(),
        "iqm": replicates.estimate,
        "finite_iqm": finite_iqm(scores),
        "interval": iqm_interval(replicates, level),
        "interval_level": attained_level(n, level),
        "may_differ": 1 - (1 - level) ** (1 / n) if (scores == scores[0]).all() else None,
        "median": float(np.median(scores)),
        "mean": mean(scores),
        "minimum": float(scores.min()),
        "maximum": float(scores.max()),
    }


def _against_reference(
    samples: Scores, replicates: Mapping[str, Replicates], reference: str, level: float, **asked: Any
) -> dict[str, dict[str, Any]]:
    """Compare every candidate with the reference: difference, ratio, P(better), p and Holm's p."""
    logs = _log_replicates(samples, **asked)
    p = _reference_tests(samples, reference, asked["seed"])
    p_holm = dict(zip(p, holm(list(p.values())), strict=True))
    fields = ("difference", "ratio", "probability_better")
    contrasts: dict[str, dict[str, Any]] = {}
    for name, ours in replicates.items():
        contrasts[name] = dict.fromkeys((*fields, *(f"{field}_interval" for field in fields)))
        contrasts[name] |= {"p": p.get(name), "p_holm": p_holm.get(name)}
        if name == reference:
            continue
        theirs, pair = replicates[reference], (samples[name], samples[reference])
        contrasts[name]["difference"] = float(safe_difference(ours.estimate, theirs.estimate))
        contrasts[name]["difference_interval"] = difference_interval(ours, theirs, level)
        contrasts[name]["probability_better"] = probability_better(*pair)
        contrasts[name]["probability_better_interval"] = probability_better_interval(*pair, level)
        if logs is not None:
            contrasts[name]["ratio"] = float(
                np.exp(safe_difference(logs[reference].estimate, logs[name].estimate))
            )
            contrasts[name]["ratio_interval"] = ratio_interval(logs[name], logs[reference], level)
    return contrasts


def _log_replicates(
    samples: Scores, *, direction: str, seed: int, resamples: int
) -> dict[str, Replicates] | None:
    """Draw IQMs of minus the logarithms of costs; None where the metric is no cost or not positive."""
    if direction != "min" or any((s[np.isfinite(s)] >= 0).any() for s in samples.values()):
        return None
    return {
        name: Replicates.draw(name, -np.log(-s), seed=seed, resamples=resamples)
        for name, s in samples.items()
    }


def _reference_tests(samples: Scores, reference: str, seed: int) -> dict[str, float]:
    """Test every candidate against the reference, where neither is exploratory: p-values as they are."""
    theirs = samples[reference]
    p_by_name: dict[str, float] = {}
    for name, ours in sorted(samples.items()):
        if name != reference and min(len(ours), len(theirs)) >= FEWEST_SEEDS:
            n, m = seeds_of_pair(len(ours), len(theirs))
            p_by_name[name] = permutation_test(ours[:n], theirs[:m], seed=seed)
    return p_by_name


def _power(name: str, best: str, samples: Scores, worse: WorseTest, unit: float | None) -> dict[str, Any]:
    """Compute what the comparison of a candidate with the best can see, and what would separate the two."""
    pair = worse.seeds.get(name), worse.seeds.get(best)
    effect = None
    if name != best and worse.critical is not None and None not in pair:
        effect = minimum_detectable_effect(*pair, worse.critical)
    return {
        "minimum_detectable_effect": effect,
        "minimum_detectable_difference": None if effect is None or unit is None else effect * unit,
        "required_seeds": None if name == best else required_seeds(samples[best], samples[name]),
    }
