"""How the runs of a study were made, how they were compared, and what a report on them cannot know."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.candidates import PLAYERS
from gan_lab.report.declared import BETTER, DeclaredMargin, PrimaryMetric
from gan_lab.report.entries import Entry
from gan_lab.report.strata import format_value, leaves
from gan_lab.report.text import seed_span
from gan_lab.runs.run import Run
from gan_lab.utils.text import format_duration

_MOST_VALUES = 12  # of one subject, side by side

STATISTICS = {
    "score": "IQM: interquartile mean over independent seeds, the mean of the middle half (Agarwal et al. 2021, "
    "arXiv:2108.13264); expanded percentile bootstrap intervals (Hesterberg 2015). With five seeds the interval "
    "is the range of the data, which reaches about 94 %, with fewer less.",
    "missing": "A run that failed, was interrupted or is running is missing: its seeds are not compared. A seed whose "
    "loss stopped being finite has diverged: it counts as worse than any other and is never dropped.",
    "learned": "Learned: a one-sided Brunner-Munzel permutation test against the scores of untrained generators, "
    "step 0 of the same seeds, Benjamini-Hochberg; at least {least_share:.0%} of the way to real data. Who has not "
    "learned is not ranked.",
    "winner": "Best: the leader beats every other candidate in a two-sided Brunner-Munzel permutation test at 5 %, "
    "without correction, because all of these tests must reject (Gutmann & Maymin 1987).",
    "worse": "Worse: step-down max-T permutation test of all pairs by the same statistic (Romano & Wolf 2005), so that "
    "with all candidates equal one is called worse in about 5 % of studies.",
    "reference": "p against the reference: the same permutation test, Holm's correction over all of these tests. "
    "P(beats the reference): probability that a seed of the candidate scores better than one of the reference.",
    "rank": "Rank interval and P(best): ranks of the IQMs over the bootstrap resamples.",
    "margin": "Equivalent: one-sided Yuen-Welch tests show that nobody's IQM is better by {margin} or more, Holm.",
    "trend": "Whether the order will hold: the slope of each seed's score over the last half of the steps; t-test for "
    "who still improves, Welch's for who gains on the leader, Holm.",
    "overall": "Over all settings: IQMs on a scale fixed for each setting, from an untrained generator, 0, to real "
    "data, 1{log}; the best must be better on the average (step-down max-T of Welch's t, permuted within settings), "
    "lead in every setting and be significantly worse than nobody in any.",
    "tuned": "At its own best value: every candidate and value is an arm of the test for worse, and a candidate is worse "
    "only if all of its arms are; the score is that of seeds that took no part in choosing the value.",
    "random": "{resamples:,} resamples; random generators seeded with {seed}.",
}


def methods_table(entries: Sequence[Entry], metric: PrimaryMetric) -> list[tuple[str, str]]:
    """Return how the runs were made, one (subject, text) per line; values that differ stand side by side."""
    runs = _runs(entries)
    configs = [leaves(run.config) for run in runs]

    def key(name: str) -> str:
        return _various([format_value(config[name]) for config in configs if name in config])

    def choice(*groups: str) -> str:
        return _various(
            [" / ".join(str(r.status.choices[g]) for g in groups if g in r.status.choices) for r in runs]
        )

    results = [entry.results for entry in entries if entry.results]
    lines = [
        ("data set", choice("dataset")),
        ("model", choice("model")),
        ("steps", key("steps")),
        ("batch size", key("batch_size")),
        ("seeds", _various([seed_span(run.status.seeds).partition(" ")[2] for run in runs])),
        ("discriminator steps", key("discriminator_steps")),
        ("objective", choice("objective")),
        ("regularizer", choice("regularizer")),
        ("augmentation", choice("augmentation")),
        ("optimizer", choice("optimizer", *(f"optimizer@{player}_optimizer" for player in PLAYERS))),
        ("learning rate", _various([_learning_rates(config) for config in configs])),
        ("initialization", choice("initialization")),
        ("averaged generator", key("ema")),
        ("precision", key("precision")),
        ("engine", _various([f"{run.status.engine}, {run.status.execution}" for run in runs])),
        ("deciding metric", f"{metric.name}, {BETTER[metric.direction]} is better"),
        ("features", _various([_features(one) for one in results])),
        ("samples", _various([_samples(one) for one in results])),
        ("training data", _various([_data(run) for run in runs])),
        ("hardware", _various([f"{run.status.device} on {run.status.host}" for run in runs])),
        ("time", _time(runs)),
        ("versions", _various([", ".join(f"{k} {v}" for k, v in r.status.versions.items()) for r in runs])),
    ]
    return [(subject, text) for subject, text in lines if text and text != "null"]


def statistics_notes(
    settings: Sequence[Mapping[str, Any]],
    overall: Mapping[str, Any] | None,
    tuned: Sequence[Mapping[str, Any]],
    margin: DeclaredMargin | None,
) -> list[str]:
    """Describe the statistics that this report rests on, one line each; what it does not use is left out."""
    rows = [row for setting in settings for row in setting["rows"]]
    compared = next((setting for setting in settings if setting["tests"]), None)
    used = {
        "learned": any(setting["learning"]["p_values"] for setting in settings),
        "winner": any(row["p_winner"] is not None for row in rows),
        "worse": any(row["p_worse"] is not None for row in rows),
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


def limitations(entries: Sequence[Entry], methods: Mapping[str, str]) -> list[str]:
    """Return what this report cannot know, read off what the study held fixed. ``methods``: its table."""
    runs = _runs(entries)
    varies = {key for entry in entries for key in entry.study_run.values}
    texts = []
    rate = methods.get("learning rate", "")
    if not any(key.endswith(("lr", "optimizer")) for key in varies):
        texts.append(
            f"All candidates were trained with the same learning rate ({rate}), tuned for none of them: "
            "one that came out badly may only want another."
        )
    datasets = {str(run.status.choices.get("dataset", "")) for run in runs}
    if len(datasets) == 1:
        texts.append(
            f"One data set ({datasets.pop()}): intervals are over seeds, and say nothing of other data."
        )
    else:
        texts.append("Intervals are over seeds of these data sets, and say nothing of others.")
    if "model" not in varies:
        shapes = _various([" x ".join(map(str, run.status.shape)) for run in runs])
        texts.append(
            f"One architecture ({methods.get('model')}) at toy scale, samples of shape {shapes}: "
            "larger networks and images may rank otherwise."
        )
    if "initialization" not in varies:
        kind = methods.get("initialization", "")
        matched = "its gain is matched to each activation" if kind == "matched" else "it is the same for all"
        texts.append(f"One initialization ({kind}; {matched}): it may suit some activations better.")
    texts.append(
        f"Nothing is known of what comes after step {methods.get('steps')}: a slow learner may catch up."
    )
    if "classifier" in {entry.results["features"]["name"] for entry in entries if entry.results}:
        texts.append(
            "Features come from a classifier of gan-lab's own: scores compare within this report, "
            "not with those in papers."
        )
    return texts


def _runs(entries: Sequence[Entry]) -> list[Run]:
    return list({entry.study_run.run.name: entry.study_run.run for entry in entries}.values())


def _various(values: Sequence[str]) -> str:
    different = list(dict.fromkeys(value for value in values if value))
    if len(different) > _MOST_VALUES:
        different = [*different[:_MOST_VALUES], f"and {len(different) - _MOST_VALUES} more"]
    return "; ".join(different)


def _learning_rates(config: Mapping[str, Any]) -> str:
    shared = config.get("optimizer.lr")
    generator, discriminator = (config.get(f"{player}_optimizer.lr", shared) for player in PLAYERS)
    if generator == discriminator:
        return format_value(generator) if generator is not None else ""
    return f"generator {format_value(generator)}, discriminator {format_value(discriminator)}"


def _features(results: Mapping[str, Any]) -> str:
    features = results["features"]
    return f"{features['name']}, {features['dimensions']} dimensions, hash {features['hash']}"


def _samples(results: Mapping[str, Any]) -> str:
    samples = results["samples"]
    return f"{samples['fake']:,} generated against {samples['real']:,} real ({samples['reference']})"


def _data(run: Run) -> str:
    status = run.status
    if not status.data_fingerprint:
        return ""
    return f"{status.data_samples:,} samples, fingerprint {status.data_fingerprint[:8]}"


def _time(runs: Sequence[Run]) -> str:
    total = sum(run.status.seconds for run in runs)
    if not total:
        return ""
    metrics = sum(run.status.metric_seconds for run in runs)
    diagnostics = sum(run.status.diagnostic_seconds for run in runs)
    return (
        f"{format_duration(total)} in all, of which metrics {metrics / total:.0%} and diagnostics "
        f"{diagnostics / total:.1%}"
    )
