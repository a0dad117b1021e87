"""What training costs: milliseconds per step and seed, compared only where the measurements are fair."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.report.entries import Entry
from gan_lab.runs.run import Run

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
    described: dict[str, set[object]] = {
        "device differs": {run.status.device for run in runs},
        "machine differs": {run.status.host for run in runs},
        "engine differs": {(run.status.engine, run.status.execution) for run in runs},
        "number of seeds at once differs": {len(run.status.seeds) for run in runs},
        "versions differ": {tuple(sorted(run.status.versions.items())) for run in runs},
    }
    reasons = [f"the {what} between runs" for what, values in described.items() if len(values) > 1]
    resumed = sum(len(getattr(run.status, "sittings", ())) > 1 for run in runs)
    if resumed:
        reasons.append(f"{resumed} of {len(runs)} runs were resumed")
    return reasons
