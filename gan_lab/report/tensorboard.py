"""A study in TensorBoard at a glance: one run per candidate, the mean over its seeds and their band.

``<study>/tensorboard/`` is rebuilt from the ``stats.jsonl`` of all runs, by whichever process trains one of
them: only one writes at a time, each file appears whole or not at all, and nothing is lost with the folder.
Imports no torch.
"""

import hashlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from gan_lab.report.candidates import candidates
from gan_lab.report.curves import StudyCurves, ThinnedCurve
from gan_lab.report.event_file import EventFile
from gan_lab.report.overview_charts import is_score, layout, tags
from gan_lab.report.strata import settings
from gan_lab.runs.config_file import CONFIG
from gan_lab.runs.folder import LOCK
from gan_lab.runs.run import Run, Seed
from gan_lab.runs.stats import STATS
from gan_lab.runs.status import ENDED, STATUS
from gan_lab.runs.study import OVERVIEW, read_study
from gan_lab.runs.tags import tag_of
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write
from gan_lab.utils.paths import to_file_name

_EVENTS = "events.out.tfevents."
_VERSION = 2  # of what is written: another number has every file written again
_PICTURES = 10  # the last ones of a seed; TensorBoard shows no more
_SECONDS_TO_WAIT = 30.0  # for another process that writes

# What this process knows of the study that it has read last.
_runs: dict[Path, tuple[object, Run]] = {}
_curves = StudyCurves()


@dataclass(frozen=True)
class Group:
    """The runs of one candidate at one setting. columns: what tells it from others, as HPARAMS shows it."""

    name: str
    runs: Sequence[Run]
    columns: Mapping[str, str | float]
    declared: str | None

    @cached_property
    def seeds(self) -> list[Seed]:
        """One of each number, of the run that began last."""
        runs = sorted(self.runs, key=lambda run: run.status.started)
        seeds = {seed.number: seed for run in runs for seed in run.seeds}
        return [seeds[number] for number in sorted(seeds)]

    @cached_property
    def averaged(self) -> dict[int, bool]:
        """The seeds whose mean is shown, and whether each has diverged.

        Those of runs that are finished or, as long as there are none, of those that train: a mean over all
        would jump wherever the curve of a run ends that was stopped, or has begun late.
        """
        states = {run.folder: run.state for run in self.runs}
        shown = next((state for state in ("finished", "running") if state in states.values()), None)
        return {
            seed.number: seed.diverged is not None
            for seed in self.seeds
            if shown is None or states[seed.folder.parent] in (shown, "diverged")
        }

    @property
    def primary(self) -> str | None:
        """The score that decides; until a run has ended, the one that the caller knows of."""
        for seed in self.seeds:
            with suppress(GanLabError):  # a file that is corrupt; gan-lab report names it
                if seed.results:
                    return str(seed.results["primary"])
        return self.declared

    @property
    def digest(self) -> str:
        """Eight digits that change if the file to be written does."""
        states = [(run.name, run.state, run.status.diverged) for run in self.runs]
        stamps = [(str(seed.folder), _stamp(seed.folder / STATS)) for seed in self.seeds]
        plain = repr((_VERSION, states, stamps, sorted(self.columns.items()), self.primary))
        return hashlib.sha256(plain.encode()).hexdigest()[:8]


def update_overview(study: Path, primary: str | None = None, *, wait: bool = True) -> bool:
    """Write what has changed of a study's overview; return whether it was this process that did.

    primary: the score that decides in runs that have not ended. Without ``wait``, another process that
    writes is left to it. Raises GanLabError for a folder without runs, and OSError.
    """
    folder = study / OVERVIEW
    if folder.is_symlink():
        return False
    folder.mkdir(exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=_SECONDS_TO_WAIT if wait else 0):
            groups = read_groups(study, primary)
            for group in groups:
                _write(folder / group.name, group)
            _forget_others(groups)
            _remove_others(folder, {group.name for group in groups})
    except Timeout:
        return False
    return True


def refresh_overview(study: Path) -> None:
    """Bring an overview that is there up to date, such as after runs were removed.

    Where a run trains, that is left to it. What cannot be written stays as it is.
    """
    if not (study / OVERVIEW).is_dir():
        return
    with suppress(GanLabError, OSError):
        if all(run.state != "running" for run in read_study(study, load=_load).runs):
            update_overview(study, wait=False)


def read_groups(study: Path, primary: str | None = None) -> list[Group]:
    """Read the runs of a study, in groups of one candidate and setting each."""
    runs = read_study(study, check=lambda run: run.config, load=_load).runs
    values = settings(runs)
    keys = _short_keys({key for one in values for key in one})
    groups: dict[str, tuple[list[Run], dict[str, str | float]]] = {}
    for run, candidate, setting in zip(runs, candidates(runs), values, strict=True):
        columns: dict[str, str | float] = {"activation": candidate.name}
        columns |= {keys[key]: _number(value) for key, value in setting.items()}
        label = candidate.name.replace(" / ", "+").replace(" (", ",").replace(", ", ",").replace(")", "")
        label = ",".join([label, *(f"{keys[key]}={value}" for key, value in setting.items())])
        groups.setdefault(label, ([], columns))[0].append(run)
    names = _file_names(list(groups))
    return [Group(names[label], runs, columns, primary) for label, (runs, columns) in groups.items()]


def event_file(group: Group) -> EventFile:
    """Return what TensorBoard shows of a group."""
    primary = group.primary
    curves: dict[str, dict[int, ThinnedCurve]] = {}
    for seed in group.seeds:
        with suppress(GanLabError):
            for name, curve in _curves.read(seed).items():
                curves.setdefault(name, {})[seed.number] = curve
    scalars: dict[int, dict[str, float]] = {}
    for name in sorted(curves, key=lambda name: tag_of(name, primary)):
        by_seed = {number: curve.points() for number, curve in curves[name].items()}
        for tag, points in tags(name, by_seed, group.averaged, primary):
            for step, value in points.items():
                scalars.setdefault(step, {})[tag] = value
    scores = sorted((tag_of(name, primary), name.partition("/")[2]) for name in curves if is_score(name))
    first = min(group.runs, key=lambda run: run.status.started)
    running = any(run.status.state not in ENDED for run in group.runs)
    return EventFile(
        group.name,
        scalars,
        _pictures(group.seeds),
        layout(curves, primary),
        group.columns,
        dict(scores),
        None if running else not any(run.status.diverged for run in group.runs),
        _seconds(first.status.started),
        first.status.seconds / first.status.step if first.status.step else 0.0,
    )


def _pictures(seeds: Sequence[Seed]) -> dict[int, bytes]:
    """Read the sample grids of the first seed."""
    pictures = {}
    for path in seeds[0].pictures[-_PICTURES:] if seeds else ():
        with suppress(OSError):
            pictures[int(path.stem.removeprefix("step_"))] = path.read_bytes()
    return pictures


def _write(folder: Path, group: Group) -> None:
    """Write a group's event file if it has changed, then remove the older ones."""
    if folder.is_symlink():
        return
    folder.mkdir(exist_ok=True)
    before = sorted(folder.glob(f"{_EVENTS}*"))
    digest = group.digest
    if before and before[-1].name.endswith(f".{digest}"):
        return
    # TensorBoard reads the files of a folder in the order of their names; a clock may have gone backwards.
    stamps = [int(match[1]) for path in before if (match := re.match(rf"{_EVENTS}(\d+)\.", path.name))]
    second = max([int(time.time()), *(stamp + 1 for stamp in stamps)])
    whole = folder / "next"  # a name that TensorBoard does not read
    atomic_write(whole, event_file(group).encode())
    whole.replace(folder / f"{_EVENTS}{second:010d}.{digest}")
    for path in before:
        path.unlink()


def _remove_others(folder: Path, names: set[str]) -> None:
    """Remove the event files of candidates that go by another name now, such as with a second setting."""
    for other in folder.iterdir():
        if other.name not in names and other.is_dir() and not other.is_symlink():
            for path in other.glob(f"{_EVENTS}*"):
                path.unlink()
            with suppress(OSError):  # it holds something that is not ours
                other.rmdir()


def _forget_others(groups: Sequence[Group]) -> None:
    """Keep in memory what is read of these runs only, and only as it is now."""
    runs = [run for group in groups for run in group.runs]
    _curves.keep({seed.folder for run in runs for seed in run.seeds})
    for folder in _runs.keys() - {run.folder for run in runs}:
        del _runs[folder]


def _load(folder: Path) -> Run:
    """Load a run; one whose files have not changed since is not read again."""
    stamps = _stamp(folder / STATUS), _stamp(folder / CONFIG)
    known = _runs.get(folder)
    if known is None or known[0] != stamps:
        known = _runs[folder] = stamps, Run.load(folder)
    return known[1]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        facts = os.lstat(path)
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns


def _short_keys(keys: set[str]) -> dict[str, str]:
    """Return the last part of every key where it is the only one: optimizer.lr is lr."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end := key.rpartition(".")[2]) == 1 else key for key in keys}


def _file_names(labels: Sequence[str]) -> dict[str, str]:
    """Return label -> a folder's name; labels that differ only in what no name may hold get numbers."""
    names: dict[str, str] = {}
    for label in labels:
        name = base = to_file_name(label) or "unnamed"
        number = 2
        while name in names.values():
            name, number = f"{base}_{number}", number + 1
        names[label] = name
    return names


def _number(value: str) -> str | float:
    try:
        return float(value)
    except ValueError:
        return value


def _seconds(time_in_utc: str) -> float:
    try:
        return datetime.fromisoformat(time_in_utc).timestamp()
    except ValueError:
        return 0.0
