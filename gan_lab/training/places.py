"""Where a study may be trained here, and how long each of its runs takes there. Imports no torch."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gan_lab.runs.naming import without_empty
from gan_lab.training.forecast import Timing, as_elsewhere, makespan
from gan_lab.training.timing_process import TimingProcesses
from gan_lab.utils.cores import available_cores

MOST_SECONDS, ALL_SECONDS = 2.0, 60.0  # of training, for a kind of run, and for all of them
MOST_AT_ONCE = 8  # processes that are timed side by side
MOST_KINDS = 2  # of run that are timed side by side: the fastest and the slowest
# What changes neither the time of a step nor of what is measured; of numbers with a fraction none does.
_NO_COST = ("seed", "seeds", "steps", "study", "race", "report", "rerun")

Processes = Callable[[int, int | None], TimingProcesses]
Progress = Callable[[str, int, int], None]
Key = tuple[str, int]  # what costs the same but for the number of seeds, and that number


@dataclass(frozen=True)
class PlannedRun:
    """A run that is to be trained from ``first_step`` on; cfg: plain; choices: group -> chosen name."""

    label: str
    cfg: dict[str, Any]
    choices: dict[str, Any]
    first_step: int

    @cached_property
    def key(self) -> Key:
        kept = {key: value for key, value in self.cfg.items() if key not in _NO_COST}
        return json.dumps(_without_fractions(without_empty(kept)), sort_keys=True), int(self.cfg["seeds"])


@dataclass(frozen=True)
class Place:
    """Where a study may be trained. at_once: runs; start: seconds that a process takes once.

    launcher: that trains there, with ``device`` if that is not the command's own; timings: of every kind of
    run; timed_at_once: processes side by side in which they were measured.
    """

    name: str
    launcher: str
    at_once: int
    start: float
    timings: Mapping[Key, Timing]
    timed_at_once: int = 1

    @property
    def device(self) -> str:
        return next(iter(self.timings.values())).device

    def seconds(self, run: PlannedRun) -> float:
        return self.timings[run.key].seconds(run.cfg, run.first_step)

    def wall(self, runs: Sequence[PlannedRun]) -> float:
        return makespan([self.seconds(run) for run in runs], self.at_once, self.start)

    def training(self, run: PlannedRun) -> float:
        """Return the seconds that a run's status counts: those after its setup."""
        return self.seconds(run) - self.timings[run.key].setup


@dataclass(frozen=True)
class Unknown:
    """A place of which nothing can be said here, and why."""

    name: str
    launcher: str
    reason: str


def time_places(
    runs: Sequence[PlannedRun],
    launcher: str,
    jobs: Callable[[], int],
    processes: Processes,
    progress: Progress,
) -> list[Place | Unknown]:
    """Time the runs where the command trains them, on all cores, and on a GPU if there is one.

    jobs: how many runs at once the launcher was asked for, -1 for all cores.
    """
    keys = _to_be_timed(runs)
    device = str(runs[0].cfg["device"])
    with processes(1, None) as one:
        gpus = one.gpus()
        on_gpu = device.startswith(("cuda", "mps")) or (device == "auto" and (gpus.cuda > 0 or gpus.mps))
        timings = _time(one, runs, keys, progress, "GPU" if on_gpu else "one process")
        assert one.start is not None
        main = Place("GPU" if on_gpu else "one process", "worker", 1, one.start, timings)
    places: list[Place | Unknown] = [main]
    if on_gpu:
        places += [_several_gpus(main, jobs())] if launcher == "gpus" else []
        places.append(Unknown("CPU", "cores", "device=cpu in the command has it measured"))
    else:
        places += _cores(main, runs, keys, jobs() if launcher == "cores" else -1, processes, progress)
        if gpus.cuda or gpus.mps:
            other = "cuda" if gpus.cuda else "mps"
            with processes(1, None) as one:
                timings = _time(one, runs, keys, progress, "GPU", {"device": other})
                assert one.start is not None
                places.append(Place(f"GPU (device={other})", "worker", 1, one.start, timings))
        else:
            places.append(Unknown("GPU", "gpus", "there is none here to be measured"))
    if launcher not in ("worker", "basic", "cores", "gpus"):
        places.append(Unknown(f"hydra/launcher={launcher}", launcher, "it trains elsewhere"))
    return places


def _several_gpus(main: Place, at_once: int) -> Place:
    return Place(f"{at_once} GPUs", "gpus", at_once, main.start, main.timings)


def _cores(
    main: Place,
    runs: Sequence[PlannedRun],
    keys: Mapping[Key, PlannedRun],
    jobs: int,
    processes: Processes,
    progress: Progress,
) -> list[Place | Unknown]:
    """Time as many processes side by side as would train: they slow each other down."""
    cores = available_cores()
    at_once = jobs if jobs > 0 else max(cores + 1 + jobs, 1)
    if at_once < 2 or len(runs) < 2:
        return []
    timed = min(at_once, len(runs), MOST_AT_ONCE)
    ordered = sorted(keys, key=lambda key: main.timings[key].step)
    chosen = {ordered[round(i * (len(ordered) - 1) / max(MOST_KINDS - 1, 1))] for i in range(MOST_KINDS)}
    some = {key: run for key, run in keys.items() if key in chosen}
    with processes(timed, max(cores // at_once, 1)) as several:
        beside = _time(several, runs, some, progress, "side by side", all_kinds=False)
        assert several.start is not None
        start = several.start
    pairs = [(main.timings[key], timing) for key, timing in beside.items()]
    timings = {
        key: beside[key] if key in beside else as_elsewhere(timing, pairs)
        for key, timing in main.timings.items()
    }
    return [Place(f"{at_once} cores", "cores", at_once, start, timings, timed)]


def _to_be_timed(runs: Sequence[PlannedRun]) -> dict[Key, PlannedRun]:
    """Choose a run of each kind with its most frequent number of seeds, and of the first kind with every one.

    Also those that cannot be guessed from these.
    """
    usual, first = _usual_seeds(runs), runs[0].key[0]
    known = {run.key[1] for run in runs if run.key[0] == first}
    keys: dict[Key, PlannedRun] = {}
    for run in runs:
        kind, seeds = run.key
        if kind == first or seeds == usual[kind] or not {seeds, usual[kind]} <= known:
            keys.setdefault(run.key, run)
    return keys


def _usual_seeds(runs: Sequence[PlannedRun]) -> dict[str, int]:
    counts: dict[str, Counter[int]] = {}
    for run in runs:
        counts.setdefault(run.key[0], Counter())[run.key[1]] += 1
    return {kind: own.most_common(1)[0][0] for kind, own in counts.items()}


def _time(
    processes: TimingProcesses,
    runs: Sequence[PlannedRun],
    keys: Mapping[Key, PlannedRun],
    progress: Progress,
    where: str,
    changes: Mapping[str, Any] | None = None,
    *,
    all_kinds: bool = True,
) -> dict[Key, Timing]:
    """Time those runs; ``all_kinds``: guess the others by what their seeds make of the first kind."""
    seconds = min(MOST_SECONDS, ALL_SECONDS / len(keys))
    timings: dict[Key, Timing] = {}
    for done, (key, run) in enumerate(keys.items()):
        progress(where, done, len(keys))
        timings[key] = processes.time(run.cfg | {"logger": None} | dict(changes or {}), run.choices, seconds)
    progress(where, len(keys), len(keys))
    usual, first = _usual_seeds(runs), runs[0].key[0]
    for kind, seeds in {run.key for run in runs if all_kinds} - set(timings):
        pair = timings[first, usual[kind]], timings[first, seeds]
        timings[kind, seeds] = as_elsewhere(timings[kind, usual[kind]], [pair])
    return timings


def _without_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_fractions(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [_without_fractions(inside) for inside in value]
    return "a fraction" if isinstance(value, float) else value
