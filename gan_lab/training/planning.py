"""What ``gan-lab plan`` says of a sweep or race before it is trained. Imports no torch: its processes do."""

import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_lab.config.errors import config_errors
from gan_lab.config.overrides import key_of, searches
from gan_lab.report.sensitivity import detectable_at_looks, detectable_differences, typical_spread
from gan_lab.report.strata import CANDIDATE_KEYS, SEED_KEYS
from gan_lab.runs.naming import to_plain
from gan_lab.sweeps.loader import AskedSweep, read_sweep
from gan_lab.sweeps.race import rounds_left
from gan_lab.sweeps.race_declaration import Declaration, declare
from gan_lab.sweeps.sweep import SweepJob, sweep_jobs
from gan_lab.training.forecast import race_seconds
from gan_lab.training.places import Place, PlannedRun, Processes, Progress, Unknown, time_places
from gan_lab.training.timing_process import TimingProcesses
from gan_lab.utils.errors import ConfigurationError

Part = dict[str, Any]
_USUAL_SEEDS = (8, 16, 32)


def plan(
    words: Sequence[str],
    folder: Path | None = None,
    *,
    processes: Processes = TimingProcesses,
    progress: Progress = lambda where, done, total: None,
) -> Part:
    """Say how long what ``gan-lab train -m`` with these words trains will take, and what it can find.

    Nothing is written but into a folder that is removed. ``progress`` is told (where, done, total). Raises
    GanLabError for whatever training would refuse.
    """
    begun = time.monotonic()
    with config_errors():
        asked = read_sweep(words, folder)
        hydra = asked.master.hydra
        sweeper, launcher = (str(hydra.runtime.choices[f"hydra/{part}"]) for part in ("sweeper", "launcher"))
        if searches(hydra) and sweeper != "race":
            raise ConfigurationError(
                f"hydra/sweeper={sweeper} chooses its runs by the scores of those before, so their number is "
                "not known: leave it out, and plan one of them"
            )
        race = declare(asked.combinations, asked.compose) if sweeper == "race" else None
        rounds = [asked.combinations] if race is None else rounds_left(race)
        jobs = [sweep_jobs(one, asked.compose) for one in rounds]
        left = [_left(one, asked) for one in jobs]
        study = Path(asked.compose(asked.combinations[0]).hydra.sweep.dir)
    runs = [run for one in left for run in one]
    places: list[Place | Unknown] = []
    if runs:
        places = time_places(runs, launcher, lambda: int(hydra.launcher.n_jobs), processes, progress)
    main = next((place for place in places if isinstance(place, Place)), None)
    every = [job for one in jobs for job in one]
    return {
        "study": study.name,
        "folder": str(study),
        "launcher": launcher,
        "runs": len(every),
        "finished": sum(job.done for job in every),
        "resumed": sum(run.first_step > 0 for run in runs),
        "seeds": sum(run.cfg["seeds"] for run in runs),
        "seed_steps": sum(run.cfg["seeds"] * (run.cfg["steps"] - run.first_step) for run in runs),
        "race": None if race is None else _race(race, left),
        "places": [_place(place, left, race, launcher) for place in places],
        "kinds": [] if main is None else _kinds(runs, main),
        "bytes": 0 if main is None else round(sum(main.timings[run.key].bytes(run.cfg) for run in runs)),
        "bytes_free": _free(study),
        "differences": _differences(asked, race),
        "seconds": time.monotonic() - begun,
    }


def _left(jobs: Sequence[SweepJob], asked: AskedSweep) -> list[PlannedRun]:
    """Return the runs that are not finished."""
    common = set.intersection(*map(set, asked.combinations)) if len(asked.combinations) > 1 else set()
    runs = []
    for job in jobs:
        if job.done:
            continue
        composed = asked.compose(job.overrides)
        words = [word for word in job.overrides if word not in common and key_of(word) not in SEED_KEYS]
        step = job.initial_status.step if job.initial_status is not None else 0
        choices = {str(key): value for key, value in composed.hydra.runtime.choices.items()}
        runs.append(PlannedRun(", ".join(words) or "all", to_plain(composed), choices, step))
    return runs


def _race(race: Declaration, left: Sequence[Sequence[PlannedRun]]) -> Part:
    record = race.record
    return {
        "candidates": len({arm.name for arm in record.arms}),
        "settings": len({arm.setting for arm in record.arms}),
        "looks": record.looks,
        "levels": record.levels,
        "hours": race.hours,
        "ended": record.ended,
        "seeds_used": record.seeds_used,
        "seeds_per_round": [sum(run.cfg["seeds"] for run in one) for one in left],
    }


def _place(
    place: Place | Unknown, left: Sequence[Sequence[PlannedRun]], race: Declaration | None, launcher: str
) -> Part:
    launcher = "worker" if launcher == "basic" else launcher
    part: Part = {"place": place.name, "launcher": place.launcher, "asked": place.launcher == launcher}
    if isinstance(place, Unknown):
        return part | {"seconds": None, "reason": place.reason}
    if race is None:
        least = most = place.wall(left[0])
    else:
        spent, hours = race.record.seconds, race.hours
        least, most = race_seconds(left, place.wall, place.training, spent, hours)
    return part | {
        "seconds": most,
        "seconds_at_least": least,
        "device": place.device,
        "at_once": place.at_once,
        "timed_at_once": place.timed_at_once,
        "start": place.start,
    }


def _kinds(runs: Sequence[PlannedRun], place: Place) -> list[Part]:
    """Return what a run of each kind takes where the command trains it."""
    groups: dict[tuple[Any, ...], list[PlannedRun]] = {}
    for run in runs:
        groups.setdefault((run.label, run.key, run.cfg["steps"]), []).append(run)
    kinds = []
    for run, *others in groups.values():
        timing = place.timings[run.key]
        seconds = timing.seconds(run.cfg)
        kinds.append(
            {
                "label": run.label,
                "runs": 1 + len(others),
                "seeds": run.cfg["seeds"],
                "steps": run.cfg["steps"],
                "ms_per_step": 1000 * timing.step,
                "seconds": seconds,
                "steps_share": timing.step * run.cfg["steps"] / seconds,
                "steps_timed": timing.steps,
                "first": timing.first,
                "each": timing.each,
                "setup": timing.setup,
                "finish": timing.finish,
            }
        )
    return kinds


def _differences(asked: AskedSweep, race: Declaration | None) -> Part:
    """Say how many seeds find which difference, also in the metric where runs of this kind are finished."""
    configs = [to_plain(asked.compose(words)) for words in asked.combinations]
    outputs = Path(str(asked.compose(asked.combinations[0]).hydra.sweep.dir)).parent
    if race is not None:
        rows = detectable_at_looks(race.record.looks, race.record.levels)
        return {"candidates": None, "rows": rows, "spread": typical_spread(outputs, configs)}
    seeds: dict[str, set[int]] = {}
    for cfg in configs:
        own = seeds.setdefault(_candidate_of(cfg), set())
        own.update(range(cfg["seed"], cfg["seed"] + cfg["seeds"]))
    planned = {len(own) for own in seeds.values()}
    rows = detectable_differences(len(seeds), {*planned, *_USUAL_SEEDS})
    rows = [row | {"planned": row["seeds"] in planned} for row in rows]
    return {"candidates": len(seeds), "rows": rows, "spread": typical_spread(outputs, configs)}


def _candidate_of(cfg: Mapping[str, Any]) -> str:
    """Return what tells a candidate apart in a plain configuration."""
    return repr([cfg.get(name) for name in CANDIDATE_KEYS])


def _free(study: Path) -> int:
    """Return how many bytes the disk has left on which a study lies, or will lie."""
    folder = study.absolute()
    while not folder.is_dir():
        folder = folder.parent
    return shutil.disk_usage(folder).free
