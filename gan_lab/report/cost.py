"""What training costs: milliseconds per step and seed, compared only where the measurements are fair."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.entries import Entry
from gan_lab.runs.run import Run
from gan_lab.runs.sittings import Sitting

# Of the largest cost of a candidate's runs to the smallest: beyond, the machine had other work.
MAX_SPREAD = 1.5


def compare_costs(groups: Mapping[str, Sequence[Entry]]) -> dict[str, Any] | None:
    """Return the cost of every candidate, and why costs must not be compared if they must not.

    {"rows": {name: {"ms_per_step", "low", "high", "runs"}}, "fair": bool, "reasons": [...]}. Milliseconds of
    training without metrics and diagnostics; low and high over a candidate's runs. None without any time.
    """
    runs = {
        name: list({entry.study_run.run.name: entry.study_run.run for entry in entries}.values())
        for name, entries in groups.items()
    }
    rows = {name: row for name, own in runs.items() if (row := _row(own)) is not None}
    if not rows:
        return None
    reasons = _reasons([run for own in runs.values() for run in own])
    busy = [name for name, row in rows.items() if row["high"] > MAX_SPREAD * row["low"]]
    if busy:
        reasons.append(f"the runs of {', '.join(busy)} differ by more than half: the machine had other work")
    return {"rows": rows, "fair": not reasons, "reasons": reasons}


def _row(runs: Sequence[Run]) -> dict[str, Any] | None:
    costs = [cost for run in runs if (cost := _milliseconds(run)) is not None]
    if not costs:
        return None
    seconds = sum(_training_seconds(run) for run in runs)
    steps = sum(run.status.step * len(run.status.seeds) for run in runs)
    return {"ms_per_step": 1000 * seconds / steps, "low": min(costs), "high": max(costs), "runs": len(costs)}


def _milliseconds(run: Run) -> float | None:
    steps = run.status.step * len(run.status.seeds)
    return 1000 * _training_seconds(run) / steps if steps and _training_seconds(run) > 0 else None


def _training_seconds(run: Run) -> float:
    status = run.status
    return status.seconds - status.metric_seconds - status.diagnostic_seconds


def _reasons(runs: Sequence[Run]) -> list[str]:
    """List what was not the same in all runs, so that their times do not compare."""
    sittings = [_sittings(run) for run in runs]
    every = [sitting for own in sittings for sitting in own]
    described: dict[str, set[object]] = {
        "device differs": {sitting.device for sitting in every} or {run.status.device for run in runs},
        "machine differs": {run.status.host for run in runs},
        "number of threads differs": {sitting.threads for sitting in every},
        "engine differs": {(run.status.engine, run.status.execution) for run in runs},
        "number of seeds at once differs": {len(run.status.seeds) for run in runs},
        "versions differ": {tuple(sorted(sitting.versions.items())) for sitting in every}
        or {tuple(sorted(run.status.versions.items())) for run in runs},
    }
    reasons = [f"the {what} between runs" for what, values in described.items() if len(values) > 1]
    resumed = sum(len(own) > 1 for own in sittings)
    if resumed:
        reasons.append(f"{resumed} of {len(runs)} runs were resumed")
    return [*reasons, *_other_load(every)]


def _sittings(run: Run) -> list[Sitting]:
    """Return the sittings that have trained; none of a run of before they were kept."""
    return [sitting for sitting in run.sittings if sitting.to_step > sitting.from_step]


def _other_load(sittings: Sequence[Sitting]) -> list[str]:
    """Say that the load of the machine differed by more than what the runs themselves can make of it."""
    loads = [sitting.load for sitting in sittings if sitting.load is not None]
    if not loads or max(loads) <= min(loads) + max(sitting.threads for sitting in sittings):
        return []
    return [f"the load of the machine was {min(loads):.1f} in one run and {max(loads):.1f} in another"]
