"""Which studies and runs there are, and how far they are. Imports neither torch nor scipy, to be quick."""

import math
import os
import platform
import statistics
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from gan_lab.runs.folder import ARCHIVED, LOCK, run_folders, seed_folder
from gan_lab.runs.results import read_results
from gan_lab.runs.stats import last_step
from gan_lab.runs.status import Status
from gan_lab.runs.study import status_of
from gan_lab.utils.errors import GanLabError


def listing(folder: Path) -> list[dict[str, Any]]:
    """Every study in a folder with its runs; a study's folder is a list of one, and so is a run's.

    A folder that cannot be read is named under "damaged", never fatal.
    """
    if not folder.is_dir():
        raise GanLabError(f"{folder} is not a folder")
    if run_folders(folder):
        return [_study(folder)]
    return [_study(path) for path in sorted(folder.iterdir()) if path.is_dir() and run_folders(path)]


def is_running(folder: Path, status: Status) -> bool:
    """Whether the process that says it is running still is.

    Only on its own host can that be seen: its process is there, and holds the run's lock (another process may
    have got its number since).
    """
    if status.state != "running":
        return False
    if status.host != platform.node():
        return True
    try:
        os.kill(status.process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    lock = folder / LOCK
    if not lock.exists():
        return True
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True


def _study(folder: Path) -> dict[str, Any]:
    runs, damaged, aside = [], {}, 0
    for path in run_folders(folder):
        if ARCHIVED in path.name:
            aside += 1
            continue
        try:
            runs.append(_run(path))
        except GanLabError as error:
            damaged[path.name] = str(error)
    name = folder.resolve().name
    return {"study": name, "folder": str(folder), "runs": runs, "damaged": damaged, "put_aside": aside}


def _run(folder: Path) -> dict[str, Any]:
    status = status_of(folder)
    state = status.state
    if state == "running" and not is_running(folder, status):
        state = "interrupted"
    step = max([status.step, *(last_step(seed_folder(folder, seed)) for seed in status.seeds)])
    return {
        "run": folder.resolve().name,
        "state": state,
        "step": min(step, status.steps),
        "steps": status.steps,
        "seeds": status.seeds,
        "diverged": {str(seed): at for seed, at in sorted(status.diverged.items())},
        "reason": status.reason,
        **_headline(folder, status),
        "seconds": status.seconds,
        "device": status.device,
        "age_seconds": _age(status.ended if state != "running" and status.ended else status.started),
    }


def _headline(folder: Path, status: Status) -> dict[str, Any]:
    """The deciding metric and the median of its last score over seeds; a failed seed is the worst of all."""
    found = [read_results(seed_folder(folder, seed)) for seed in status.seeds]
    measured = [results for results in found if results]
    if not measured:
        return {"metric": None, "median": None, "measured_at": None}
    metric = str(measured[0]["primary"])
    told = [results["metrics"].get(metric, {}) for results in measured]
    sign = -1.0 if told[0].get("direction") == "min" else 1.0
    last = [one.get("last") for one in told]
    middle = statistics.median(-math.inf if value is None else sign * value for value in last)
    steps = [results["step"] for results in measured]
    return {
        "metric": metric,
        "median": sign * middle if math.isfinite(middle) else None,
        "measured_at": max(steps),
    }


def _age(since: str) -> float | None:
    try:
        return (datetime.now(timezone.utc) - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return None
