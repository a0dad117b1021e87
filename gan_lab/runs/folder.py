"""A run's folder: finding it, locking it and moving it out of the way. Imports no torch."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from gan_lab.runs.log import LOG
from gan_lab.runs.status import Status, now
from gan_lab.utils.errors import GanLabError, RunBusyError, RunFailedError

LOCK = ".lock"
# What `rerun=true` keeps has this in its name; it is no longer a part of the study.
ARCHIVED = ".before-"


def run_folders(folder: Path) -> list[Path]:
    """The folder itself where it is a run's, else the runs in it, by name."""
    if (folder / "status.json").is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob("*/status.json"))


def seed_folder(folder: Path, seed: int) -> Path:
    return folder / f"seed_{seed}"


def archive_run(folder: Path, status: Status) -> Path:
    """Move what a run has left out of the way of the next one; returns where to."""
    name, number = f"{folder.name}{ARCHIVED}{now().replace(':', '')}", 1
    aside = folder.with_name(name)
    while aside.exists():  # a second ago
        number += 1
        aside = folder.with_name(f"{name}.{number}")
    aside.mkdir()
    seeds = [seed_folder(Path(), seed).name for seed in status.seeds]
    # The status goes last: stopped in between, the next start moves the rest.
    for name in ("config.yaml", "checkpoint", *seeds, "status.json"):
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    return aside


@contextmanager
def discard_if_refused(folder: Path) -> Iterator[None]:
    """Remove what was made for a run that is refused inside, and folders that are empty without it."""
    try:
        yield
    except RunFailedError:
        raise
    except GanLabError:
        _discard_unless_run(folder)
        raise


def _discard_unless_run(folder: Path) -> None:
    if not folder.is_dir() or (folder / "status.json").exists():
        return
    with suppress(Timeout, OSError), FileLock(folder / LOCK, timeout=0):  # another may be at its beginning
        shutil.rmtree(folder / ".hydra", ignore_errors=True)
        for name in (LOG, LOCK):
            (folder / name).unlink(missing_ok=True)
    for empty in (folder, *folder.parents[:2]):
        if not empty.is_dir() or any(empty.iterdir()):
            return
        empty.rmdir()


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Have a run's folder to oneself; the operating system releases it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        status = Status.load(folder)
        who = f"process {status.process} on {status.host}, since {status.started}" if status else "another"
        raise RunBusyError(f"{folder} is being trained by {who}: wait for it, or stop it") from None
