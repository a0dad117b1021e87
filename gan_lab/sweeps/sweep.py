"""Train the runs of a sweep that are still to do, under any launcher, and print the outcome of each.

A run's state is read from its folder, so it does not matter which launcher ran it, or whether that process
is still alive. Imports no torch.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from gan_lab.config.overrides import check_choices
from gan_lab.config.schema import check
from gan_lab.datasets.files import data_stamp
from gan_lab.runs.existing import (
    describe_differences,
    existing_status,
    is_done,
    readable_status,
    watched_differences,
)
from gan_lab.runs.folder import lock_run
from gan_lab.runs.log import LOG
from gan_lab.runs.naming import distinct_sources, shorter_name, to_plain
from gan_lab.runs.run import Run
from gan_lab.runs.status import Status
from gan_lab.sweeps.live import live_table
from gan_lab.sweeps.loggers import check_loggers
from gan_lab.sweeps.overall import lines_of_all
from gan_lab.utils.errors import ConfigurationError, GanLabError, RunBusyError, summarize_exception
from gan_lab.utils.paths import quoted
from gan_lab.utils.tables import format_table, terminal_width
from gan_lab.utils.terminal import live_terminal
from gan_lab.utils.text import format_duration, plural

Compose = Callable[[list[str]], DictConfig]
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]
SUCCESSES = ("skipped", "finished", "resumed", "diverged", "trained elsewhere")


@dataclass
class SweepJob:
    """One run of a sweep.

    initial_status: when the sweep began, None if there was no run; reason: why it failed; crashes: how often
    the process that trained it has died; elsewhere: another process trains it, such as the same sweep in
    another terminal; watched: see `gan_lab.runs.existing.watched_differences`.
    """

    overrides: list[str]
    folder: Path
    initial_status: Status | None
    done: bool
    reason: str = ""
    crashes: int = 0
    elsewhere: bool = False
    watched: dict[str, str] = field(default_factory=dict)

    def never_ended(self) -> bool:
        """Whether a process was training it when the sweep began, or had died without a word."""
        return self.initial_status is not None and self.initial_status.state == "running"

    def status(self) -> Status | None:
        """Read the run's status, None if it has not begun, or if the status cannot be read."""
        return readable_status(self.folder)

    def failure(self) -> str:
        """Say why the run failed, or why its status cannot be read; empty if neither is so."""
        try:
            Status.load(self.folder)
        except GanLabError as error:
            return self.reason or str(error)
        return self.reason

    def keep_reason(self) -> None:
        """Write why the run's process died into its status, which the process could not do any more."""
        status = self.status()
        if status is None or status.state != "running":
            return
        with suppress(GanLabError, OSError), lock_run(self.folder):
            replace(status, reason=self.reason).save(self.folder)

    def outcome(self) -> str:
        """Say it in a word or two: skipped, finished, resumed, diverged, failed, interrupted, pending, ..."""
        status = self.status()
        if self.elsewhere:
            return "trained elsewhere"
        if self.failure():
            return "failed"
        if self.done:
            return "skipped"
        if status is None:
            return "pending"
        if status.state == "running":
            return "interrupted"
        if status.state == "finished" and self.initial_status is not None and self.initial_status.step > 0:
            return "resumed"
        return status.state


def sweep(
    combinations: Sequence[Sequence[str]],
    compose: Compose,
    begin: Callable[[Path], None],
    launch: Launch,
    batch_size: int | None = None,
    *,
    common: Collection[str] | None = None,
) -> int:
    """Train every combination of overrides that is not done yet, print a table, return how many failed.

    Nothing is started or written if a combination cannot be composed. ``begin`` gets the study's folder;
    ``launch`` takes the overrides of at most ``batch_size`` runs and the number of the first, as Hydra's
    launchers do. common: see `sweep_jobs`.
    """
    jobs = sweep_jobs(combinations, compose, common)
    begin(jobs[0].folder.parent)
    try:
        # Last come those that never ended: what killed them may kill again, or another terminal trains them.
        unfinished = sorted((job for job in jobs if not job.done), key=SweepJob.never_ended)
        with _folders_made(unfinished), _progress([job.folder for job in unfinished]):
            _launch(unfinished, launch, batch_size or len(jobs))
    except ConfigurationError:  # the launcher could not even begin
        raise
    except BaseException:
        print(table(jobs))
        raise
    print(table(jobs))
    return sum(job.outcome() not in SUCCESSES for job in jobs)


def _progress(folders: Sequence[Path]) -> AbstractContextManager[None]:
    """Show how far the runs are: in a terminal as a live table, elsewhere in lines."""
    terminal = live_terminal()
    return lines_of_all(folders) if terminal is None or len(folders) < 2 else live_table(terminal, folders)


@contextmanager
def _folders_made(jobs: Sequence[SweepJob]) -> Iterator[None]:
    """Make the folders of runs, so that whoever trains them finds their names; remove those left empty."""
    for job in jobs:
        with suppress(OSError):  # whoever trains it says what is wrong
            job.folder.mkdir(exist_ok=True)
    try:
        yield
    finally:
        for job in jobs:
            with suppress(OSError):  # it is not empty
                job.folder.rmdir()


def table(jobs: Sequence[SweepJob]) -> str:
    """Return one line per run, the reasons and logs of those that failed, and the totals."""
    rows = [("run", "outcome", "steps", "time")]
    for job in jobs:
        status = job.status()
        steps = f"{status.step:,}/{status.steps:,}" if status else ""
        seconds = status.seconds if status else None
        rows.append((job.folder.name, job.outcome(), steps, format_duration(seconds)))
    lines = ["", *format_table(rows, left=(0, 1), width=terminal_width())]
    for job in jobs:
        if job.outcome() == "failed":
            lines += ["", f"failed: {job.folder.name}", f"  {job.failure()}"]
            if (job.folder / LOG).exists() and str(LOG) not in job.failure():
                lines.append(f"  full log: {job.folder / LOG}")
    study = jobs[0].folder.parent
    totals = ", ".join(f"{count} {word}" for word, count in Counter(job.outcome() for job in jobs).items())
    lines += [
        "",
        f"{plural(len(jobs), 'run')} in {study}: {totals}",
        f"  report   gan-lab report {quoted(study)}",
    ]
    return "\n".join([*lines, *(f"  note     {note}" for note in _notes(jobs, study))])


def _notes(jobs: Sequence[SweepJob], study: Path) -> Iterator[str]:
    """Say which runs were watched otherwise than was asked for, in one sentence per set of differences."""
    groups: dict[tuple[tuple[str, str], ...], list[SweepJob]] = {}
    for job in jobs:
        if job.watched:
            groups.setdefault(tuple(job.watched.items()), []).append(job)
    for differences, group in groups.items():
        subject = f"{group[0].folder.name} was" if len(group) == 1 else f"{len(group)} runs were"
        yield describe_differences(dict(differences), study, subject)


def sweep_jobs(
    combinations: Sequence[Sequence[str]], compose: Compose, common: Collection[str] | None = None
) -> list[SweepJob]:
    """Compose and check all combinations; those that ask for the same run become one job.

    common: overrides that no run's name needs; by default those that all combinations have.
    """
    jobs: dict[Path, SweepJob] = {}
    to_train: list[DictConfig] = []
    configs: dict[Path, Mapping[str, Any]] = {}
    stamp_of = _stamped_once()
    if common is None:
        common = set.intersection(*map(set, combinations)) if len(combinations) > 1 else set()
    sources = distinct_sources(combinations)
    for overrides in combinations:
        composed = compose(list(overrides))
        check_choices(composed.hydra)
        check(composed)
        study = Path(composed.hydra.sweep.dir)
        folder = study / shorter_name(composed.hydra.sweep.subdir, study, overrides, common, sources)
        cfg = to_plain(composed)
        status = None if cfg["rerun"] else existing_status(cfg, folder)
        done = status is not None and is_done(cfg, status, stamp_of)
        if folder not in jobs:
            jobs[folder] = SweepJob(list(overrides), folder, status, done)
            configs[folder] = cfg
            if not done:
                to_train.append(composed)
            else:
                with suppress(GanLabError):  # gan-lab report names what is corrupt
                    configs[folder] = Run.load(folder).config
        jobs[folder].watched |= watched_differences(cfg, configs[folder])
    check_loggers(to_train)
    return list(jobs.values())


def _stamped_once() -> Callable[[Mapping[str, Any]], str | None]:
    """Return `data_stamp` with a memory: the runs of a sweep share folders of perhaps a million files."""
    stamps: dict[str, str | None] = {}

    def stamp_of(dataset: Mapping[str, Any]) -> str | None:
        path = str(dataset.get("path"))
        if path not in stamps:
            stamps[path] = data_stamp(dataset)
        return stamps[path]

    return stamp_of


def _launch(jobs: Sequence[SweepJob], launch: Launch, batch_size: int) -> None:
    """Launch all jobs; if a process dies and the launcher gives up, launch the unfinished ones again.

    Which job killed the process cannot be seen: every job that was being trained is tried once more beside
    others, and after a second crash in isolation.
    """
    pending, number = list(jobs), 0
    while pending:
        isolated = pending[0].crashes > 1
        batch = pending[:1] if isolated else [job for job in pending[:batch_size] if job.crashes < 2]
        before = {job.folder: job.status() for job in batch}
        pending = [job for job in pending if job not in batch]
        try:
            returns = launch([job.overrides for job in batch], number)
        except Exception as error:
            reason = summarize_exception(error)
            unfinished = [job for job in batch if _is_unfinished(job, before[job.folder])]
            begun = [job for job in unfinished if job.status() != before[job.folder]]
            if not begun and not isolated:
                raise ConfigurationError(f"hydra/launcher cannot launch the runs: {reason}") from error
            if isolated:
                for job in unfinished:
                    job.reason = f"the process that trained it died ({reason})"
                    job.keep_reason()
                continue
            for job in begun:
                job.crashes += 1
            pending = sorted([*unfinished, *pending], key=lambda job: job.crashes)
            continue
        number += len(batch)
        for job, result in zip(batch, returns, strict=True):
            if result.status == JobStatus.FAILED:
                failure = result._return_value  # the property of that name prints it, and raises
                job.elsewhere = isinstance(failure, RunBusyError)
                job.reason = summarize_exception(failure)
                if not job.elsewhere:
                    job.keep_reason()


def _is_unfinished(job: SweepJob, before: Status | None) -> bool:
    status = job.status()
    return status is None or status == before or status.state in ("running", "interrupted")
