"""How the runs of a study were made, and what a report on them cannot know."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.candidates import leaves, show
from gan_lab.report.entries import BETTER, Entry, Primary
from gan_lab.runs.run import Run


def protocol(found: Sequence[Entry], metric: Primary) -> list[tuple[str, str]]:
    """How the runs were made, one line a subject; values that differ between runs stand side by side."""
    runs = list({e.member.run.name: e.member.run for e in found}.values())
    configs = [leaves(run.config) for run in runs]

    def key(*names: str) -> str:
        return _various([", ".join(f"{show(c[n])}" for n in names if n in c) for c in configs])

    def choice(*groups: str) -> str:
        return _various(
            [" / ".join(r.status.choices[g] for g in groups if g in r.status.choices) for r in runs]
        )

    players = ("generator", "discriminator")
    rates = _various([_rates(config) for config in configs])
    results = [e.seed.results for e in found if e.seed.results]
    lines = [
        ("data set", choice("dataset")),
        ("model", choice("model")),
        ("steps", key("steps")),
        ("batch size", key("batch_size")),
        ("seeds", _various([_span(run.status.seeds) for run in runs])),
        ("discriminator steps", key("discriminator_steps")),
        ("objective", choice("objective")),
        ("regularizer", choice("regularizer")),
        ("augmentation", choice("augmentation")),
        ("optimizer", choice("optimizer", *(f"optimizer@{player}_optimizer" for player in players))),
        ("learning rate", rates),
        ("initialization", choice("initialization")),
        ("averaged generator", key("ema")),
        ("precision", key("precision")),
        ("engine", _various([f"{run.status.engine}, {run.status.execution}" for run in runs])),
        ("deciding metric", f"{metric.name}, {BETTER[metric.direction]} is better"),
        ("features", _various([_features(r) for r in results])),
        ("samples", _various([_samples(r) for r in results])),
        ("hardware", _various([f"{run.status.device} on {run.status.host}" for run in runs])),
        ("time", _time(runs)),
        ("versions", _various([", ".join(f"{k} {v}" for k, v in r.status.versions.items()) for r in runs])),
    ]
    return [(subject, said) for subject, said in lines if said and said != "null"]


def _various(values: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(value for value in values if value))


def _rates(config: Mapping[str, Any]) -> str:
    shared = config.get("optimizer.lr")
    own = [config.get(f"{player}_optimizer.lr", shared) for player in ("generator", "discriminator")]
    if own[0] == own[1]:
        return show(own[0]) if own[0] is not None else ""
    return f"generator {show(own[0])}, discriminator {show(own[1])}"


def _span(seeds: Sequence[int]) -> str:
    whole = len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]} to {seeds[-1]}" if whole else ", ".join(map(str, seeds))


def _features(results: Mapping[str, Any]) -> str:
    features = results["features"]
    return f"{features['name']}, {features['dimensions']} dimensions, hash {features['hash']}"


def _samples(results: Mapping[str, Any]) -> str:
    samples = results["samples"]
    return f"{samples['fake']:,} generated against {samples['real']:,} real ({samples['reference']})"


def _time(runs: Sequence[Any]) -> str:
    total = sum(run.status.seconds for run in runs)
    measuring = sum(run.status.metric_seconds for run in runs)
    looking = sum(run.status.diagnostic_seconds for run in runs)
    if not total:
        return ""
    shown = (
        f"{total:.0f} s"
        if total < 120
        else f"{total / 60:.0f} min"
        if total < 7200
        else f"{total / 3600:.1f} h"
    )
    return f"{shown} in all, of which metrics {measuring / total:.0%} and diagnostics {looking / total:.1%}"


def limits(found: Sequence[Entry], told: Mapping[str, str]) -> list[str]:
    """What this report cannot know, read off what the study held fixed. ``told``: its protocol."""
    runs = list({e.member.run.name: e.member.run for e in found}.values())
    own = [e.member.values for e in found]
    varies = {key for values in own for key in values}
    said = []
    rate = told.get("learning rate", "")
    if not any(key.endswith(("lr", "optimizer")) for key in varies):
        said.append(
            f"All candidates were trained with the same learning rate ({rate}), tuned for none of them: "
            "one that came out badly may only want another."
        )
    datasets = {run.status.choices.get("dataset", "") for run in runs}
    if len(datasets) == 1:
        said.append(
            f"One data set ({datasets.pop()}): intervals are over seeds, and say nothing of other data."
        )
    else:
        said.append("Intervals are over seeds of these data sets, and say nothing of others.")
    if "model" not in varies:
        shapes = _various([" x ".join(map(str, run.status.shape)) for run in runs])
        said.append(
            f"One architecture ({told.get('model')}) at toy scale, samples of shape {shapes}: "
            "larger networks and images may rank otherwise."
        )
    if "initialization" not in varies:
        kind = told.get("initialization", "")
        matched = "its gain is matched to each activation" if kind == "matched" else "it is the same for all"
        said.append(f"One initialization ({kind}; {matched}): it may suit some activations better.")
    said.append(
        f"Nothing is known of what comes after step {told.get('steps')}: a slow learner may catch up."
    )
    devices = {
        (run.status.device, run.status.engine, run.status.execution, len(run.status.seeds)) for run in runs
    }
    if len(devices) > 1:
        said.append(
            "Runs differ in device, engine or number of seeds, so milliseconds a step do not compare."
        )
    features = {e.seed.results["features"]["name"] for e in found if e.seed.results}
    if "classifier" in features:
        said.append(
            "Features come from a classifier of gan-lab's own: scores compare within this report, "
            "not with those in papers."
        )
    return said


# Keys that a run without Hydra's record is repeated with, beside its groups.
_REPEATED_KEYS = ("study", "steps", "batch_size", "seed", "seeds", "discriminator_steps", "precision", "ema")


def repeat_command(run: Run) -> str:
    """The command that made a run, quoted for a shell."""
    return _command(run, _overrides(run))


def fresh_seeds_command(runs: Sequence[Run], first: int, count: int, study: str) -> str:
    """The command that trains what ``runs`` trained on seeds that nobody has seen, in a study of its own.

    In the same study the fresh scores would be pooled with those that made the candidate the winner.
    """
    latest = max(runs, key=lambda run: run.status.started)
    replaced = ("seed=", "seeds=", "study=", "rerun=")
    kept = [override for override in _overrides(latest) if not override.lstrip("+").startswith(replaced)]
    return _command(latest, [*kept, f"seed={first}", f"seeds={count}", f"study={study}_fresh"])


def is_exact(run: Run) -> bool:
    return run.overrides is not None


def _overrides(run: Run) -> list[str]:
    if run.overrides is not None:
        return run.overrides
    groups = [f"{g}={name}" for g, name in sorted(run.status.choices.items()) if g != "experiment"]
    keys = [f"{key}={show(run.config[key])}" for key in _REPEATED_KEYS if run.config.get(key) is not None]
    return groups + keys


def _command(run: Run, overrides: Sequence[str]) -> str:
    where = ["--config-dir", run.config_dir] if run.config_dir else []
    return shlex.join(["gan-lab", "train", *where, *overrides])
