"""What may be removed from the disk: checkpoints of runs that have ended, and runs put aside. No torch.

Nothing is followed through a link, and nothing is removed that gan-lab does not write.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gan_lab.datasets.caches import lost_caches, remove_cache
from gan_lab.runs.checkpoint_files import CHECKPOINTS, spare_files
from gan_lab.runs.folder import LOCK, archived_from, is_half_archived, lock_run, require_unlinked
from gan_lab.runs.status import ENDED, STATUS, Status
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import is_regular
from gan_lab.utils.paths import relative
from gan_lab.utils.text import plural

# Everything in a run's folder, by its path below it: outputs/README.md.
_RUN_FILES = re.compile(
    r"status\.json|config\.yaml|train\.log|\.lock|\.hydra/\w+\.yaml|report/.+"
    r"|checkpoint/step_\d+\.pt(\.sha256)?"
    r"|seed_\d+/(stats\.jsonl|results\.json|loggers\.json|generator(_best)?\.safetensors"
    r"|events\.out\.tfevents\..+|(samples|interpolation)(_best)?_\d+\.png|samples/(step_\d+|real)\.png)"
)
_RUN_FOLDERS = re.compile(r"\.hydra|report(/.+)?|checkpoint|seed_\d+(/samples)?")
_UNFINISHED = re.compile(r"\.(.+)\.\d+\.tmp")  # what a writer that was killed has left


@dataclass(frozen=True)
class Prunable:
    """Something that can be removed.

    kind: checkpoints, archived or cache; what: in words; size: in bytes. ``remove`` raises GanLabError or
    OSError if it cannot be removed now; after a kill on the way it is found again.
    """

    kind: str
    what: str
    folder: Path
    size: int
    remove: Callable[[], None]


def find_prunable(folders: Sequence[Path], keep: int = 0) -> tuple[list[Prunable], list[str]]:
    """List what can be removed in runs, studies or folders of studies.

    A run that has ended loses all but its last ``keep`` checkpoints; a run put aside is removed as a whole.
    Also returns what is left alone although it looks like one of these, a sentence each.
    """
    found: dict[Path, Prunable] = {}
    reasons = []
    for run in (run for folder in folders for run in _runs(_unlinked(folder))):
        try:
            original = archived_from(run)
            items = _checkpoints(run, keep) if original is None else _archived(run, original)
            found.update((run.resolve(), item) for item in items)
        except (GanLabError, OSError) as error:
            reasons.append(str(error))
    return sorted(found.values(), key=lambda item: (item.kind != "checkpoints", item.folder)), reasons


def find_lost_caches() -> list[Prunable]:
    """List the caches of image folders that are gone."""
    return [
        Prunable("cache", f"cache of {cache.source}", cache.folder, cache.size, partial(remove_cache, cache))
        for cache in lost_caches()
    ]


def _unlinked(folder: Path) -> Path:
    """Return where a folder is that was named; links are followed here only."""
    return folder.resolve() if folder.is_symlink() else folder


def _runs(folder: Path, depth: int = 2) -> Iterator[Path]:
    """Yield runs, also those put aside, in a folder and at most so many folders below it."""
    if is_regular(folder / STATUS) or (archived_from(folder) and _is_empty(folder)):
        yield folder
    elif depth:
        for path in _listed(folder):
            if path.is_dir() and not path.is_symlink():
                yield from _runs(path, depth - 1)


def _is_empty(folder: Path) -> bool:
    """Whether a folder has nothing but a lock: a removal was killed after it had removed the status."""
    return folder.is_dir() and all(path.name == LOCK for path in _listed(folder))


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except PermissionError:  # whatever it is, it is left alone
        return []


def _checkpoints(run: Path, keep: int) -> list[Prunable]:
    files = _spare(run, keep)
    if not files:
        return []
    number = sum(path.suffix == ".pt" for path in files)
    what = plural(number, "checkpoint")
    return [Prunable("checkpoints", what, run, _size(files), partial(_remove_spare, run, keep, files))]


def _spare(run: Path, keep: int) -> list[Path]:
    status = Status.load(run)
    if status is None or status.state not in ENDED:
        return []
    require_unlinked(run)
    files = spare_files(run / CHECKPOINTS, keep)
    for path in files:
        if not is_regular(path):
            raise GanLabError(f"{path} is no regular file: it is left alone")
    return files


def _remove_spare(run: Path, keep: int, shown: Sequence[Path]) -> None:
    with _locked(run):
        for path in _spare(run, keep):  # it may have been trained since
            if path in shown:
                path.unlink()


def _archived(run: Path, original: Path) -> list[Prunable]:
    if is_half_archived(run):
        raise GanLabError(f"{run} is put aside in part: training {relative(original)} again completes it")
    files, _ = _contents(run)
    return [
        Prunable("archived", "run put aside", run, _size(files), partial(_remove_archived, run, original))
    ]


def _remove_archived(run: Path, original: Path) -> None:
    """Remove a run that was put aside, its status last: until then it can be told what it is."""
    with ExitStack() as stack:
        if (original / LOCK).exists() or (original / STATUS).exists():
            stack.enter_context(_locked(original))  # it may be putting a run aside
        stack.enter_context(_locked(run))
        if is_half_archived(run):
            raise GanLabError(f"{run} is put aside in part")
        files, folders = _contents(run)
        last = [run / STATUS, run / LOCK]
        for path in files:
            if path not in last:
                path.unlink()
        for folder in folders:
            folder.rmdir()
        for path in last:
            path.unlink(missing_ok=True)
    with suppress(OSError):  # somebody has locked it again
        run.rmdir()


@contextmanager
def _locked(run: Path) -> Iterator[None]:
    """Have a run's folder to oneself, as training does."""
    if run.is_symlink() or not run.is_dir():
        raise GanLabError(f"{run} is a link or no folder")
    require_unlinked(run)
    with lock_run(run):
        yield


def _contents(run: Path) -> tuple[list[Path], list[Path]]:
    """Return files and folders below a run's folder, the deepest first.

    Raises GanLabError for anything that gan-lab does not write.
    """

    def refuse(error: OSError) -> None:
        raise error

    files, folders = [], []
    for parent, below, names in os.walk(run, topdown=False, onerror=refuse):
        for path in (Path(parent, name) for name in (*names, *below)):
            place, mode = path.relative_to(run), path.lstat().st_mode
            if stat.S_ISDIR(mode) and _RUN_FOLDERS.fullmatch(place.as_posix()):
                folders.append(path)
                continue
            unfinished = _UNFINISHED.fullmatch(place.name)
            name = place.with_name(unfinished[1]) if unfinished else place
            if not (stat.S_ISREG(mode) and _RUN_FILES.fullmatch(name.as_posix())):
                raise GanLabError(f"{path} is not what gan-lab writes: {run.name} is left alone")
            files.append(path)
    return sorted(files), folders


def _size(files: Sequence[Path]) -> int:
    return sum(path.lstat().st_size for path in files)
