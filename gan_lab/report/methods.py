"""How the runs of a study were made, and what a report on them cannot know."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.candidates import PLAYERS
from gan_lab.report.declared import BETTER, PrimaryMetric
from gan_lab.report.entries import Entry
from gan_lab.report.strata import format_value, leaves
from gan_lab.report.text import seed_span
from gan_lab.runs.run import Run
from gan_lab.utils.text import format_duration

_MOST_VALUES = 12  # of one subject, side by side


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
        *(
            (f"{player}'s sites", _various([run.status.sites.get(player, "") for run in runs]))
            for player in PLAYERS
        ),
        ("steps", key("steps")),
        ("batch size", key("batch_size")),
        ("seeds", _various([seed_span(run.status.seeds).partition(" ")[2] for run in runs])),
        ("discriminator steps", key("discriminator_steps")),
        ("objective", choice("objective")),
        ("regularizer", choice("regularizer")),
        ("augmentation", choice("augmentation")),
        ("optimizer", choice("optimizer", *(f"optimizer@{player}_optimizer" for player in PLAYERS))),
        ("learning rate", _various([_learning_rates(config) for config in configs])),
        ("schedule", choice("schedule", *(f"schedule@{player}_schedule" for player in PLAYERS))),
        ("clipping", choice("clipping", *(f"clipping@{player}_clipping" for player in PLAYERS))),
        ("initialization", choice("initialization")),
        ("initial weights", _various([_initial_weights(run) for run in runs])),
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
    if any(run.config.get("init_from") for run in runs):
        texts.append(
            "Networks began with trained weights (init_from): they may suit the activation that they were "
            "trained with, and seeds that share them are less independent than their number says."
        )
    if any(run.config.get("keep_best") for run in runs):
        texts.append(
            "All scores are those of the last generators. Best ones were kept, too (keep_best): a score that "
            "was picked as the best of many flatters, and most where scores jump, so none is compared here."
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


def _initial_weights(run: Run) -> str:
    taken = ", ".join(f"{player} {text}" for player, text in run.status.initial_weights.items())
    return f"{run.config.get('init_from')}: {taken}" if taken else ""


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
