"""The one reader of files in a run's folder, which may be a stranger's: regular, bounded, plain. No torch."""

import json
import math
import os
import stat
import unicodedata
from pathlib import Path
from typing import Any, BinaryIO

from gan_lab.utils.errors import GanLabError

MAX_JSON = 4 * 2**20  # bytes; gan-lab's own files have a few thousand
MAX_DEPTH = 32
MAX_INT = 2**63
_KINDS = ((stat.S_ISLNK, "link"), (stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "FIFO"))


def open_regular(path: Path, run: Path) -> BinaryIO:
    """Open a file of the folder ``run`` for reading; nothing between the two may be a link.

    Raises FileNotFoundError if it is missing, and GanLabError for a link, a FIFO, a device or a folder.
    """
    for folder in list(path.relative_to(run).parents)[:-1]:
        if (run / folder).is_symlink():
            raise GanLabError(f"{run / folder} is damaged: it is a link, and gan-lab makes none")
    try:
        _require_regular(path, os.lstat(path).st_mode)
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        descriptor = os.open(path, flags | getattr(os, "O_BINARY", 0))
        try:
            _require_regular(path, os.fstat(descriptor).st_mode)
        except GanLabError:
            os.close(descriptor)
            raise
    except FileNotFoundError:
        raise
    except OSError as error:
        raise GanLabError(f"{path} cannot be read: {error.strerror or error}") from error
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path, run: Path, at_most: int = MAX_JSON) -> bytes:
    """Read a regular file of at most so many bytes."""
    with open_regular(path, run) as file:
        size = os.fstat(file.fileno()).st_size
        if size > at_most:
            raise GanLabError(f"{path} is damaged: it has more than {at_most:,} bytes")
        return file.read(size)


def parse_json(data: bytes) -> Any:
    """Parse JSON into plain values; raises ValueError for what `require_plain` refuses, and for no JSON."""
    try:
        value = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    require_plain(value)
    return value


def require_plain(value: Any, *, strict: bool = True) -> None:
    """Raise ValueError unless all is text that can be printed, numbers in range, and not too deep.

    ``strict`` also refuses infinite numbers, NaN, tabs and line breaks, which YAML may hold.
    """
    level = [value]  # level by level, which is several times as fast as a call for each value
    for _ in range(MAX_DEPTH + 1):
        inside: list[Any] = []
        for one in level:
            kind = type(one)
            if kind is str:
                if not one.isprintable():
                    _require_printable(one, "" if strict else "\t\n")
            elif kind is dict:
                inside.extend(one)
                inside.extend(one.values())
            elif kind is list:
                inside.extend(one)
            elif not (is_plain_number(one) or (not strict and kind is float)):
                raise ValueError("it has a number out of range, or a value of another kind")
        if not inside:
            return
        level = inside
    raise ValueError("it is nested too deeply")


def is_plain_number(value: Any) -> bool:
    """Return whether a value is a finite number that fits, a truth value or None."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -MAX_INT < value < MAX_INT
    return isinstance(value, float) and math.isfinite(value)


def _require_printable(text: str, allowed: str) -> None:
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in allowed for c in text):
        raise ValueError("it has text that cannot be printed")


def _require_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "device")
        raise GanLabError(f"{path} is damaged: it is a {kind}, and no regular file")
