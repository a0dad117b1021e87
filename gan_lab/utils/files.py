"""Atomic file writes, and a time limit for connections."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Downloads open connections without a limit, so a network that swallows packets would hang a run.
SECONDS_WITHOUT_AN_ANSWER = 20.0


def atomic_write(path: Path, content: str | bytes) -> None:
    """Replace a file so that a reader, or a crash, sees the old content or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    data = content.encode() if isinstance(content, str) else content
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise


def is_regular(path: Path) -> bool:
    """Return whether there is a file that is no link, folder, FIFO or device."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def remove_temp_files(folder: Path) -> None:
    """Remove what writers that were killed have left half written, in a folder that nobody else writes in."""
    for directory in (folder, folder / "checkpoint", *folder.glob("seed_*"), *folder.glob("seed_*/samples")):
        for path in directory.glob(".*.tmp"):
            if path.suffixes[-2:-1] and path.suffixes[-2][1:].isdigit():
                path.unlink(missing_ok=True)


@contextmanager
def connect_timeout() -> Iterator[None]:
    """Let connections opened inside wait `SECONDS_WITHOUT_AN_ANSWER`, and no longer."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS_WITHOUT_AN_ANSWER)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
