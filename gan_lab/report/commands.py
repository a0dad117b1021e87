"""What to type: to repeat or complete a run, and to train a candidate on fresh seeds."""

import platform
import shlex
from collections.abc import Sequence
from itertools import product
from math import prod

from gan_lab.config.overrides import key_of
from gan_lab.report.entries import StudyRun
from gan_lab.report.strata import format_value
from gan_lab.runs.run import Run
from gan_lab.utils.text import truncate

# Keys that a run without Hydra's record is repeated with, beside its groups.
_REPEATED_KEYS = (
    *("study", "steps", "batch_size", "seed", "seeds", "discriminator_steps", "precision", "ema"),
    *("generator_batch_size", "init_from", "init_partial"),
)
# Groups whose length is that of the whole run unless it is typed.
_WITH_LENGTH = ("schedule", "generator_schedule", "discriminator_schedule")
_SEEDS_AND_STUDY = ("seed", "seeds", "study", "rerun")


def repeat_command(run: Run) -> str:
    """Return the command that made a run, quoted for a shell; it also resumes the run."""
    return _command(run, _overrides(run))


def origin_note(runs: Sequence[Run]) -> str:
    """Say that commands come from the files of runs of other machines, empty if all were made on this one."""
    hosts = sorted({run.status.host for run in runs} - {platform.node()})
    if not hosts:
        return ""
    named = truncate(", ".join(map(repr, hosts[:3])), 80) + (", ..." if len(hosts) > 3 else "")
    return (
        f"Some runs were made on another machine ({named}), and commands are composed from their files: "
        "read a command before you type it."
    )


def is_exact(run: Run) -> bool:
    """Return whether a run has Hydra's record of what was typed."""
    return run.overrides is not None


def completing_command(study_run: StudyRun) -> str | None:
    """Return the command that completes a run; None if it is running and only has to be waited for."""
    run, remedy = study_run.run, study_run.remedy
    if remedy == "train" and run.status.steps >= study_run.target:
        return repeat_command(run)
    if remedy in ("train", "longer"):
        kept = [override for override in _overrides(run) if key_of(override) != "steps"]
        return _command(run, [*kept, *_lengths(run, kept), f"steps={study_run.target}"])
    if remedy in ("evaluate", "repair"):
        return shlex.join(["gan-lab", "evaluate", str(run.folder)])
    return None


def fresh_seeds_commands(runs: Sequence[Run], first: int, count: int, study: str) -> list[str]:
    """Return the commands that train what ``runs`` trained, in all their settings, on seeds nobody has seen.

    In a study of their own: here the fresh scores would be pooled with those that made the candidate the
    winner. One command if the settings are all combinations of some values, else one per setting.
    """
    latest: dict[tuple[str, ...], Run] = {}
    for run in sorted(runs, key=lambda run: run.status.started):
        latest[tuple(o for o in _overrides(run) if key_of(o) not in _SEEDS_AND_STUDY)] = run
    fresh = [f"seed={first}", f"seeds={count}", f"study={study}_fresh"]
    swept = _swept(list(latest))
    if swept is not None:
        some = next(iter(latest.values()))
        return [_command(some, [*swept, *fresh], multirun=any("," in o for o in swept) and len(latest) > 1)]
    return [_command(run, [*overrides, *fresh]) for overrides, run in latest.items()]


def _swept(settings: Sequence[tuple[str, ...]]) -> list[str] | None:
    """Join the overrides of several settings to those of one sweep, None if no sweep gives just these."""
    if len(settings) == 1:
        return list(settings[0])
    tables = [dict(override.split("=", 1) for override in overrides) for overrides in settings]
    if any(set(table) != set(tables[0]) for table in tables):
        return None
    values = {key: list(dict.fromkeys(table[key] for table in tables)) for key in tables[0]}
    if prod(len(own) for own in values.values()) != len(settings):
        return None
    if {tuple(table[key] for key in values) for table in tables} != set(product(*values.values())):
        return None
    return [f"{key}={','.join(_ascending(own))}" for key, own in values.items()]


def _ascending(values: list[str]) -> list[str]:
    """Return values in ascending order if all are numbers, else in that of their first runs."""
    try:
        return sorted(values, key=float)
    except ValueError:
        return values


def _overrides(run: Run) -> list[str]:
    if run.overrides is not None:
        return run.overrides
    groups = [f"{g}={name}" for g, name in sorted(run.status.choices.items()) if g != "experiment"]
    keys = [
        f"{key}={format_value(run.config[key])}" for key in _REPEATED_KEYS if run.config.get(key) is not None
    ]
    return groups + keys


def _lengths(run: Run, overrides: Sequence[str]) -> list[str]:
    """Return the lengths of a run's schedules that were not typed: with more steps they would be others."""
    nodes = {group: run.config.get(group) for group in _WITH_LENGTH}
    lengths = {
        f"{group}.length": node["length"] for group, node in nodes.items() if node and "length" in node
    }
    typed = {key_of(override) for override in overrides}
    return [f"{key}={length}" for key, length in lengths.items() if key not in typed]


def _command(run: Run, overrides: Sequence[str], *, multirun: bool = False) -> str:
    config_dir = ["--config-dir", run.config_dir] if run.config_dir else []
    return shlex.join(["gan-lab", "train", *(["-m"] if multirun else []), *config_dir, *overrides])
