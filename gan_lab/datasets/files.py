"""Which files of a folder may be images, and a stamp that notices their changes. Imports no torch."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import Path
from typing import Any

from gan_lab.utils.errors import DataError

# Folders that systems, file servers and archives add beside people's own; hidden ones begin with a dot.
SYSTEM_FOLDERS = frozenset(
    {
        *("@eaDir", "#recycle", "@Recycle", "$RECYCLE.BIN", "System Volume Information"),
        *("__MACOSX", "lost+found", "__pycache__"),
    }
)
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
_KINDS = MimeTypes()  # Python's own table, the same on every system


@dataclass(frozen=True)
class FolderListing:
    """images: files that may be images, sorted; others: suffix -> how many files of kinds that never are."""

    images: list[Path]
    others: Counter[str]


def list_images(folder: Path) -> FolderListing:
    """List the files in and below ``folder``; links are followed, and each folder is visited once.

    A file whose suffix names another kind (text, video, archives) is counted and not opened; for any other,
    Pillow will say. Hidden and system files and folders are left out. Raises `DataError` for a folder that
    cannot be read: its images are missing only for now.
    """

    def refuse(error: OSError) -> None:
        below = "" if Path(error.filename) == folder else f": {error.filename}"
        raise DataError(f"dataset.path={folder}{below} cannot be read: {error.strerror}") from error

    images: list[Path] = []
    others: Counter[str] = Counter()
    visited: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:  # a link to a folder above, or to one that was visited
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not _is_system(name, SYSTEM_FOLDERS))
        for name in names:
            if _is_system(name, SYSTEM_FILES):
                continue
            if may_be_image(name):
                images.append(Path(parent, name))
            else:
                others[Path(name).suffix.lower()] += 1
    return FolderListing(sorted(images), others)


def may_be_image(name: str) -> bool:
    """Whether the suffix of a file's name leaves it possible that it is an image."""
    kind, _ = _KINDS.guess_type(name, strict=False)
    return kind is None or kind.startswith("image/") or kind == "application/octet-stream"


def stamp_files(folder: Path, files: Iterable[Path]) -> str:
    """Hash names (below ``folder``), sizes and times of files, without opening one: 64 hexadecimal digits.

    Another stamp says that the content may have changed, not that it has.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            status = file.stat()
            seen = (status.st_size, status.st_mtime_ns)
        except OSError:  # a link to nothing, which may lead somewhere next time
            seen = (0, 0)
        digest.update(json.dumps([os.path.relpath(file, folder), *seen]).encode())
    return digest.hexdigest()


def data_stamp(dataset: Mapping[str, Any]) -> str | None:
    """Stamp the files of a configuration's ``dataset``: equals `Dataset.stamp` of the same files.

    None if the data set has no ``path``, or there is no such folder.
    """
    path = dataset.get("path")
    folder = absolute(str(path)) if path not in (None, "") else None
    try:
        if folder is None or not folder.is_dir():
            return None
        return stamp_files(folder, list_images(folder).images)
    except (OSError, ValueError, DataError):
        return None


def absolute(path: str) -> Path:
    """The path from the root, with the home folder for ``~`` and without ``..``; links are kept."""
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - "a/../b" is b


def _is_system(name: str, known: frozenset[str]) -> bool:
    return name.startswith(".") or name in known or name.lower() in known
