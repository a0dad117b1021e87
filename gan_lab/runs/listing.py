"""Which studies and runs there are, and how far they are. Imports neither torch nor scipy, to be quick."""

import math
import statistics
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gan_lab.runs.folder import run_folders
from gan_lab.runs.run import Run
from gan_lab.runs.study import read_study
from gan_lab.utils.errors import GanLabError


def listing(folder: Path) -> list[dict[str, Any]]:
    """Return every study in a folder with its runs; a study's folder is a list of one, and so is a run's.

    A run that cannot be read is named under "damaged", never fatal.
    """
    if not folder.is_dir():
        raise GanLabError(f"{folder} is not a folder")
    if run_folders(folder):
        return [_study(folder)]
    return [_study(path) for path in sorted(folder.iterdir()) if path.is_dir() and run_folders(path)]


def _study(folder: Path) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    study = read_study(folder, check=lambda run: rows.append(_row(run)))
    return {
        "study": study.name,
        "folder": str(folder),
        "runs": rows,
        "damaged": study.damaged,
        "archived": len(study.archived),
    }


def _row(run: Run) -> dict[str, Any]:
    status, state = run.status, run.state
    return {
        "run": run.name,
        "state": state,
        "step": run.step,
        "steps": status.steps,
        "seeds": status.seeds,
        "diverged": {str(seed): step for seed, step in sorted(status.diverged.items())},
        "reason": status.reason,
        **headline(run),
        "seconds": status.seconds,
        "device": status.device,
        "age_seconds": _age(status.ended if state != "running" and status.ended else status.started),
    }


def headline(run: Run) -> dict[str, Any]:
    """Return the deciding metric and the median of its last score over seeds; a failed seed is the worst."""
    measured = [seed.results for seed in run.seeds if seed.results]
    if not measured:
        return {"metric": None, "median": None, "measured_at": None}
    metric = str(measured[0]["primary"])
    scores = [results["metrics"].get(metric, {}) for results in measured]
    sign = -1.0 if scores[0].get("direction") == "min" else 1.0
    last = [score.get("last") for score in scores]
    middle = statistics.median(-math.inf if value is None else sign * value for value in last)
    return {
        "metric": metric,
        "median": sign * middle if math.isfinite(middle) else None,
        "measured_at": max(results["step"] for results in measured),
    }


def _age(since: str) -> float | None:
    try:
        return (datetime.now(timezone.utc) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return None
