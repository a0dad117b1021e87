"""A sweep: which of its runs are still to do, all of them tried, and a table of what became of each.

It learns what became of a run from the run's own folder, so it makes no difference which launcher ran it,
or whether the process that did is still there. Imports no torch.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from gan_lab.config.schema import check
from gan_lab.runs.existing import existing_status, is_done
from gan_lab.runs.log import LOG
from gan_lab.runs.naming import task_config
from gan_lab.runs.status import Status
from gan_lab.utils.errors import ConfigurationError, GanLabError, RunBusyError
from gan_lab.utils.text import align_columns, format_duration, truncate

Compose = Callable[[list[str]], DictConfig]
Launch = Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]
SUCCESSES = ("skipped", "finished", "resumed", "diverged", "trained elsewhere")


@dataclass
class SweepJob:
    """One run of a sweep. before: what had become of it when the sweep began; reason: why it failed.

    lost: how often the process that trained it has died.
    """

    overrides: list[str]
    folder: Path
    before: Status | None
    done: bool
    reason: str = ""
    lost: int = 0
    elsewhere: bool = False

    def now(self) -> Status | None:
        """What has become of it, None where nothing has."""
        try:
            return Status.load(self.folder)
        except GanLabError as error:
            self.reason = self.reason or str(error)
            return None

    def outcome(self) -> str:
        """Say it in a word or two: skipped, finished, resumed, diverged, failed, interrupted, ...

        ``elsewhere``: another process trains it, such as the same sweep in another terminal.
        """
        status = self.now()
        if self.elsewhere:
            return "trained elsewhere"
        if self.reason:
            return "failed"
        if self.done:
            return "skipped"
        if status is None:
            return "not begun"
        if status.state == "running":
            return "interrupted"
        if status.state == "finished" and self.before is not None and self.before.step > 0:
            return "resumed"
        return status.state


def sweep(
    combinations: Sequence[Sequence[str]],
    compose: Compose,
    begin: Callable[[Path], None],
    launch: Launch,
    batch_size: int | None = None,
) -> int:
    """Train every combination of overrides that is not done yet, and print what became of all of them.

    Nothing has been started, or written, when a combination turns out to be one that cannot be composed.
    ``launch`` takes overrides and the number of the first, as Hydra's launchers do; at most ``batch_size``
    at a time. Returns how many failed.
    """
    members = _members(combinations, compose)
    begin(members[0].folder.parent)
    try:
        _launch([member for member in members if not member.done], launch, batch_size or len(members))
    except ConfigurationError:  # it could not even begin
        raise
    except BaseException:
        print(table(members))
        raise
    print(table(members))
    return sum(member.outcome() not in SUCCESSES for member in members)


def table(members: Sequence[SweepJob]) -> str:
    """A line a run, the reasons of those that failed and where their logs are, and the sum of it all."""
    rows = [("run", "outcome", "steps", "time")]
    for member in members:
        status = member.now()
        steps = f"{status.step:,}/{status.steps:,}" if status else ""
        rows.append(
            (member.folder.name, member.outcome(), steps, format_duration(status.seconds) if status else "")
        )
    lines = ["", *align_columns(rows, left=(0, 1))]
    for member in members:
        if member.outcome() == "failed":
            lines += ["", f"failed: {member.folder.name}", f"  {member.reason}"]
            if (member.folder / LOG).exists() and str(LOG) not in member.reason:
                lines.append(f"  full log: {member.folder / LOG}")
    counts = Counter(member.outcome() for member in members)
    study = members[0].folder.parent
    number = f"{len(members)} run{'s' * (len(members) != 1)}"
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    return "\n".join([*lines, "", f"{number} in {study}: {said}", f"  report   gan-lab report '{study}'"])


def _members(combinations: Sequence[Sequence[str]], compose: Compose) -> list[SweepJob]:
    found: dict[Path, SweepJob] = {}
    for overrides in combinations:
        cfg = compose(list(overrides))
        own = task_config(cfg)
        check(own)
        folder = Path(cfg.hydra.sweep.dir) / cfg.hydra.sweep.subdir
        before = None if own.rerun else existing_status(own, folder)
        done = before is not None and is_done(own, before)
        # Different words may ask for the same run.
        found.setdefault(folder, SweepJob(list(overrides), folder, before, done))
    return list(found.values())


def _launch(members: Sequence[SweepJob], launch: Launch, batch_size: int) -> None:
    """Launch all; where a launcher gives up because a process has died, the others are launched again.

    Which one killed it cannot be seen: whoever was being trained is tried once more beside others, and after
    a second time alone.
    """
    waiting, number = list(members), 0
    while waiting:
        alone = waiting[0].lost > 1
        batch = waiting[:1] if alone else [m for m in waiting[:batch_size] if m.lost < 2]
        before = {member.folder: member.now() for member in batch}
        waiting = [member for member in waiting if member not in batch]
        try:
            returns = launch([member.overrides for member in batch], number)
        except Exception as error:
            died = truncate(f"{type(error).__name__}: {error}")
            unfinished = [m for m in batch if _is_open(m, before[m.folder])]
            begun = [m for m in unfinished if m.now() != before[m.folder]]
            if alone or not begun:
                if not alone:
                    raise ConfigurationError(f"hydra/launcher cannot launch the runs: {died}") from error
                for member in unfinished:
                    member.reason = f"the process that trained it died ({died})"
                continue
            for member in begun:
                member.lost += 1
            waiting = sorted([*unfinished, *waiting], key=lambda member: member.lost)
            continue
        number += len(batch)
        for member, one in zip(batch, returns, strict=True):
            if one.status == JobStatus.FAILED:
                why = one._return_value  # the property of that name prints it, and raises
                member.elsewhere = isinstance(why, RunBusyError)
                member.reason = str(why) if isinstance(why, GanLabError) else _named(why)


def _is_open(member: SweepJob, before: Status | None) -> bool:
    status = member.now()
    return status is None or status == before or status.state in ("running", "interrupted")


def _named(error: object) -> str:
    with suppress(Exception):
        return truncate(f"{type(error).__name__}: {error}")
    return type(error).__name__
