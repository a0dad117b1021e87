"""Who is missing in which setting: how far, why, and the command that completes it."""

from collections.abc import Iterable, Sequence
from typing import Any

from gan_lab.report.commands import completing_command
from gan_lab.report.entries import Entry, StudyRun

Part = dict[str, Any]
_MAX_REASONS = 3


def missing(study_runs: Sequence[StudyRun], entries: Iterable[Entry]) -> dict[str, Part]:
    """Return {setting: {"incomplete": [...], "partial": [...], "untried": [...]}} for all settings.

    incomplete: candidates without a complete seed; partial: candidates of which some seeds are missing;
    untried: names of those that were tried in other settings only.
    """
    complete: dict[tuple[str, str], set[int]] = {}
    for entry in entries:
        complete.setdefault((entry.study_run.setting, entry.name), set()).add(entry.seed.number)
    excluded: dict[tuple[str, str], list[StudyRun]] = {}
    for one in study_runs:
        if one.exclusion_reason is not None:
            excluded.setdefault((one.setting, one.name), []).append(one)
    names = list(dict.fromkeys(one.name for one in study_runs))
    parts: dict[str, Part] = {}
    for setting in dict.fromkeys(one.setting for one in study_runs):
        part: Part = {"incomplete": [], "partial": [], "untried": []}
        for name in names:
            key = (setting, name)
            absent = _absent(excluded.get(key, []), complete.get(key, set()))
            if absent:
                part["partial" if key in complete else "incomplete"].append(_described(name, absent))
            elif key not in complete:
                part["untried"].append(name)
        parts[setting] = part
    return parts


def _absent(runs: Sequence[StudyRun], complete: set[int]) -> list[tuple[StudyRun, list[int]]]:
    """Return excluded runs with those of their seeds that no complete run has."""
    pairs = [(one, [seed for seed in one.run.status.seeds if seed not in complete]) for one in runs]
    return [(one, seeds) for one, seeds in pairs if seeds]


def _described(name: str, absent: Sequence[tuple[StudyRun, list[int]]]) -> Part:
    reasons = list(dict.fromkeys(str(one.exclusion_reason) for one, _ in absent))
    if len(reasons) > _MAX_REASONS:
        reasons = [*reasons[:_MAX_REASONS], f"and {len(reasons) - _MAX_REASONS} more"]
    return {
        "name": name,
        "reason": "; ".join(reasons),
        "seeds": sorted({seed for _, seeds in absent for seed in seeds}),
        "runs": [one.run.name for one, _ in absent],
        "commands": [command for one, _ in absent if (command := completing_command(one))],
    }
