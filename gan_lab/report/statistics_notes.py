"""What the statistics of a report are, in sentences with their sources."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.declared import DeclaredMargin

STATISTICS = {
    "score": (
        "IQM: interquartile mean over independent seeds, the mean of the middle half (Agarwal et al. "
        "2021, arXiv:2108.13264); expanded percentile bootstrap intervals (Hesterberg 2015). With five "
        "seeds the interval is the range of the data, which reaches about 94 %; with fewer it reaches "
        "less."
    ),
    "missing": (
        "A run that failed, was interrupted or is running is missing: its seeds are not compared. A seed "
        "whose loss stopped being finite has diverged: it counts as worse than any other and is never "
        "dropped."
    ),
    "learned": (
        "Learned: a one-sided Brunner-Munzel permutation test against the scores of untrained generators, "
        "step 0 of the same seeds, Benjamini-Hochberg; at least {least_share:.0%} of the way to real "
        "data. Who has not learned is not ranked."
    ),
    "winner": (
        "Best: the leader beats every other candidate in a two-sided Brunner-Munzel permutation test at 5 "
        "%, without correction, because all of these tests must reject (Gutmann & Maymin 1987)."
    ),
    "worse": (
        "Worse: step-down max-T permutation test of all pairs by the same statistic (Romano & Wolf 2005), "
        "so that with all candidates equal one is called worse in about 5 % of studies."
    ),
    "reference": (
        "p against the reference: the same permutation test, Holm's correction over all of these tests. "
        "P(beats the reference): probability that a seed of the candidate scores better than one of the "
        "reference."
    ),
    "rank": "Rank interval and P(best): ranks of the IQMs over the bootstrap resamples.",
    "margin": (
        "Equivalent: one-sided Yuen-Welch tests show that nobody's IQM is better by {margin} or more, Holm."
    ),
    "trend": (
        "Whether the order will hold: the slope of each seed's score over the last half of the steps; "
        "t-test for who still improves, Welch's for who gains on the leader, Holm."
    ),
    "overall": (
        "Over all settings: IQMs on a scale fixed for each setting, from an untrained generator, 0, to "
        "real data, 1{log}; the best must be better on the average (step-down max-T of Welch's t, "
        "permuted within settings), lead in every setting and be significantly worse than nobody in any."
    ),
    "tuned": (
        "At its own best value: every candidate and value is an arm of the test for worse, and a "
        "candidate is worse only if all of its arms are; the score is that of seeds that took no part in "
        "choosing the value."
    ),
    "random": "{resamples:,} resamples; random generators seeded with {seed}.",
}


def statistics_notes(
    settings: Sequence[Mapping[str, Any]],
    overall: Mapping[str, Any] | None,
    tuned: Sequence[Mapping[str, Any]],
    margin: DeclaredMargin | None,
    *,
    raced: bool = False,
) -> list[str]:
    """Describe the statistics that this report rests on, one line each; what it does not use is left out.

    raced: whether the tests are those of a race's looks, which has a description of its own.
    """
    rows = [row for setting in settings for row in setting["rows"]]
    compared = next((setting for setting in settings if setting["tests"]), None)
    used = {
        "learned": any(setting["learning"]["p_values"] for setting in settings),
        "winner": not raced and any(row["p_winner"] is not None for row in rows),
        "worse": not raced and any(row["p_worse"] is not None for row in rows),
        "reference": any(row["p"] is not None for row in rows),
        "rank": any(row["p_best"] is not None for row in rows),
        "margin": margin is not None,
        "trend": any(setting["trend"] for setting in settings),
        "overall": overall is not None,
        "tuned": bool(tuned),
        "random": compared is not None,
    }
    facts = {
        "least_share": max((setting["learning"]["least_share"] for setting in settings), default=0.0),
        "margin": margin.text if margin else "",
        "log": ", in logarithms because the metric is a squared distance"
        if overall and overall["log"]
        else "",
        "resamples": compared["resamples"] if compared else 0,
        "seed": compared["seed"] if compared else 0,
    }
    return [text.format(**facts) for name, text in STATISTICS.items() if used.get(name, True)]
