"""Caches of decoded images: where they are, and which are of folders that are gone. Imports no torch.

``<hash of how they were decoded>/<hash of the files>/`` holds the files below; `image_cache` writes them.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from gan_lab.utils.errors import DataError
from gan_lab.utils.files import is_regular
from gan_lab.utils.paths import cache_dir

IMAGES, SKIPPED, FACTS = "images.npy", "skipped.txt", "facts.json"
_FILES = (IMAGES, SKIPPED, FACTS)  # in the order in which they are removed: the last one names the source
_HASH = re.compile(r"[0-9a-f]{16}")
_MAX_FACTS = 2**20  # bytes


@dataclass(frozen=True)
class LostCache:
    """A cache whose images are not where they were; size: in bytes."""

    folder: Path
    source: Path
    size: int


def caches_folder() -> Path:
    return cache_dir() / "images"


def lock_path(parent: Path) -> Path:
    """Return the file that is locked while a cache is built or removed."""
    return parent.with_name(f"{parent.name}.lock")


def lost_caches() -> list[LostCache]:
    """List the caches of folders that are no longer there; one that does not name its folder is none."""
    found = []
    for parent in _folders(caches_folder()):
        for folder in _folders(parent):
            files = [path for name in _FILES if is_regular(path := folder / name)]
            source = _source(folder)
            if source is not None and _is_gone(source):
                found.append(LostCache(folder, source, sum(path.lstat().st_size for path in files)))
    return found


def remove_cache(cache: LostCache) -> None:
    """Remove a cache unless its images are back; after a kill on the way `lost_caches` still lists it.

    Raises DataError while another process builds it.
    """
    parent = cache.folder.parent
    lock = lock_path(parent)
    if lock.is_symlink():
        raise DataError(f"{lock} is a link, and nothing is written there: remove it")
    try:
        with FileLock(lock, timeout=0):
            if _source(cache.folder) != cache.source or not _is_gone(cache.source):
                return
            for name in _FILES:
                if is_regular(cache.folder / name):
                    (cache.folder / name).unlink()
            with suppress(OSError):  # something else is in there
                cache.folder.rmdir()
                parent.rmdir()
    except Timeout:
        raise DataError(f"{parent} is being built by another process") from None


def _folders(parent: Path) -> Iterator[Path]:
    if parent.is_dir():
        for path in sorted(parent.iterdir()):
            if _HASH.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                yield path


def _source(folder: Path) -> Path | None:
    path = folder / FACTS
    try:
        if not is_regular(path) or path.lstat().st_size > _MAX_FACTS:
            return None
        source = json.loads(path.read_text("utf-8"))["source"]
        return Path(source) if isinstance(source, str) and Path(source).is_absolute() else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_gone(source: Path) -> bool:
    """Whether nothing is there; a folder that cannot be looked at may be."""
    try:
        source.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False
