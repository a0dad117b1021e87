"""A run's folder: finding it, locking it and moving it out of the way. Imports no torch."""

import glob
import os
import platform
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from gan_lab.runs.checkpoint_files import CHECKPOINTS
from gan_lab.runs.config_file import CONFIG
from gan_lab.runs.log import LOG
from gan_lab.runs.status import STATUS, Status, now
from gan_lab.utils.errors import GanLabError, RunBusyError, RunFailedError

LOCK = ".lock"
HYDRA_RECORD = ("config.yaml", "hydra.yaml", "overrides.yaml")
HYDRA = ".hydra"  # the folder of Hydra's record
# What `rerun=true` keeps has this in its name; it is no longer a part of the study.
ARCHIVED = ".before-"
_ARCHIVE = re.compile(rf"(.+){re.escape(ARCHIVED)}\d{{4}}-\d\d-\d\dT\d{{6}}\+0000(\.\d+)?")


def run_folders(folder: Path) -> list[Path]:
    """Return the folder itself if it is a run's, else the runs in it by name."""
    if os.path.lexists(folder / STATUS):  # a link to nothing is named under "damaged"
        return [folder]
    return sorted(path for path in folder.glob("*") if os.path.lexists(path / STATUS))


def seed_folder(folder: Path, seed: int) -> Path:
    return folder / f"seed_{seed}"


def archive_run(folder: Path) -> Path:
    """Move what a run has left out of the way of the next one; returns where to."""
    name, number = f"{folder.name}{ARCHIVED}{now().replace(':', '')}", 1
    archive = folder.with_name(name)
    while archive.exists():  # a second ago
        number += 1
        archive = folder.with_name(f"{name}.{number}")
    archive.mkdir()
    _move_run(folder, archive)
    return archive


def finish_archiving(folder: Path) -> None:
    """Move what `archive_run` has left in a folder without a status, because it was killed on its way."""
    archives = sorted(folder.parent.glob(f"{glob.escape(folder.name)}{ARCHIVED}*"))
    if archives and not (folder / STATUS).exists():
        _move_run(folder, archives[-1])


def archived_from(archive: Path) -> Path | None:
    """Return where the run was that `archive_run` has moved here; None for a folder of another name."""
    match = _ARCHIVE.fullmatch(archive.name)
    return archive.with_name(match[1]) if match else None


def is_half_archived(archive: Path) -> bool:
    """Return whether `archive_run` was killed on its way, and `finish_archiving` is still to come."""
    folder = archived_from(archive)
    if folder is None or not folder.is_dir() or (folder / STATUS).exists():
        return False
    return bool(_not_moved(folder, archive))


def _move_run(folder: Path, archive: Path) -> None:
    """Move a run's files, the status first: a folder never holds a finished run without its files."""
    for name in _not_moved(folder, archive):
        (folder / name).rename(archive / name)


def _not_moved(folder: Path, archive: Path) -> list[str]:
    seeds = sorted(path.name for path in folder.iterdir() if re.fullmatch(r"seed_\d+", path.name))
    names = (STATUS, CONFIG, CHECKPOINTS, *seeds)
    return [name for name in names if (folder / name).exists() and not (archive / name).exists()]


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
    if not folder.is_dir() or (folder / STATUS).exists():
        return
    with suppress(Timeout, OSError), FileLock(folder / LOCK, timeout=0):  # another may be at its beginning
        shutil.rmtree(folder / HYDRA, ignore_errors=True)
        for name in (LOG, LOCK):
            (folder / name).unlink(missing_ok=True)
    for empty in (folder, *folder.parents[:2]):
        if not empty.is_dir() or any(empty.iterdir()):
            return
        empty.rmdir()


def require_unlinked(folder: Path) -> None:
    """Raise GanLabError if anything in a run's folder is a link or no regular file.

    Training could write through it; gan-lab makes none.
    """
    for parent, folders, files in os.walk(folder):  # follows no links
        for name in (*folders, *files):
            _require_plain(Path(parent, name))


def require_unlinked_record(folder: Path) -> None:
    """Raise GanLabError if a run's folder, or Hydra's record in it, is a link; Hydra writes it first."""
    record = folder / HYDRA
    for path in (folder, record, *(record / name for name in HYDRA_RECORD)):
        _require_plain(path)


def _require_plain(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise GanLabError(f"{path} is a link or no regular file, and nothing is written there: remove it")


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Have a run's folder to oneself; the operating system releases it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        status = None
        with suppress(GanLabError):  # the other one may be replacing a status of an older version
            status = Status.load(folder)
        who = f"process {status.process} on {status.host}, since {status.started}" if status else "another"
        raise RunBusyError(f"{folder} is being trained by {who}: wait for it, or stop it") from None


def is_running(folder: Path, status: Status) -> bool:
    """Return whether a run whose status says that it is running still is.

    Only its own host can tell: there is a process of its number, and the run's lock is held (another process
    may have got that number since). A run of another host is believed.
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
    if lock.is_symlink() or not lock.is_file():  # a lock that is opened is emptied
        return True
    try:
        with FileLock(lock, timeout=0):
            return False
    except (Timeout, OSError):
        return True
