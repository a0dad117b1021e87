"""``stats.jsonl``: the scalars of one seed, one line per step. Imports no torch."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

from gan_lab.runs.reader import open_regular, parse_json
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write

STATS = "stats.jsonl"
_MAX_SIZE = 2**28  # bytes
_BLOCK = 65_536  # bytes that are read at a time


def read_stats(folder: Path, measured_from: int = 0) -> list[dict[str, Any]]:
    """Return the lines of a seed's ``stats.jsonl``, without a last line that a crash has cut off.

    Lines of steps before ``measured_from`` come without ``metrics/*``: those scores were made otherwise.
    Raises GanLabError for a corrupt file.
    """
    return list(StatsReader(folder, measured_from).new_lines())


class StatsReader:
    """Reads a seed's ``stats.jsonl`` as it grows: what has been read is neither kept nor read again.

    measured_from: as of `read_stats`.
    """

    def __init__(self, folder: Path, measured_from: int = 0) -> None:
        self._path, self._measured_from = folder / STATS, measured_from
        self._end, self._last = 0, b""  # of what has been read, and its last line

    def new_lines(self, on_restart: Callable[[], object] = lambda: None) -> Iterator[dict[str, Any]]:
        """Yield the lines that have come since the last call; raises GanLabError for a corrupt file.

        on_restart: called before the first line if the file is another one now, which is read from its start.
        """
        if not os.path.lexists(self._path):
            self._restart(on_restart)
            return
        try:
            with open_regular(self._path, self._path.parent.parent) as file:
                if os.fstat(file.fileno()).st_size > _MAX_SIZE:
                    raise GanLabError(f"{self._path} is damaged: it has more than {_MAX_SIZE:,} bytes")
                if not self._is_continued_by(file):
                    self._restart(on_restart)
                file.seek(self._end)
                for line in _complete_lines(file):
                    content = _parse(line)
                    self._end, self._last = self._end + len(line) + 1, line
                    yield content if content["step"] >= self._measured_from else _without_scores(content)
        except ValueError:
            raise GanLabError(
                f"{self._path} is damaged: move it away, then run the same command again"
            ) from None

    def _is_continued_by(self, file: BinaryIO) -> bool:
        """Whether the line that was read last is where it was: a run that is resumed may have cut it off."""
        if not self._end:
            return True
        file.seek(self._end - len(self._last) - 1)
        return file.read(len(self._last) + 1) == self._last + b"\n"

    def _restart(self, on_restart: Callable[[], object]) -> None:
        if self._end:
            self._end, self._last = 0, b""
            on_restart()


class StatsWriter:
    """Appends lines to a seed's ``stats.jsonl``, after removing the lines of steps after ``step``."""

    def __init__(self, folder: Path, step: int) -> None:
        _truncate_after(folder / STATS, step)
        self._file = (folder / STATS).open("a")

    def write(self, line: Mapping[str, float | None]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def sync(self) -> None:
        """Have every line on the disk, also if the power fails."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def last_step(folder: Path) -> int:
    """Return the step of the last complete line, 0 if there is none; reads only the end of the file."""
    try:
        with open_regular(folder / STATS, folder.parent) as file:
            return int(_parse(next(_lines_from_end(file)))["step"])
    except (OSError, ValueError, StopIteration):
        return 0


def last_scores(folder: Path, measured_from: int = 0) -> dict[str, float | None]:
    """Return the scores of the last line that has any, by metric; reads the file from its end up to there.

    measured_from: as of `read_stats`. Raises GanLabError for a corrupt file.
    """
    prefix = "metrics/"
    try:
        with open_regular(folder / STATS, folder.parent) as file:
            for line in _lines_from_end(file):
                content = _parse(line) if prefix.encode() in line else {}
                if content and content["step"] >= measured_from:
                    return {k.removeprefix(prefix): v for k, v in content.items() if k.startswith(prefix)}
    except FileNotFoundError:
        pass
    except ValueError:
        raise GanLabError(f"{folder / STATS} is damaged: it has a line that is none") from None
    return {}


def _truncate_after(path: Path, step: int) -> None:
    """Remove the lines after ``step``, and everything from the first corrupt line on."""
    if not path.exists():
        return
    with open_regular(path, path.parent.parent) as file:
        kept = sum(len(line) + 1 for line in takewhile(lambda x: _step_of(x) <= step, _complete_lines(file)))
        if kept == os.fstat(file.fileno()).st_size:
            return
        file.seek(0)
        text = file.read(kept).decode()
    atomic_write(path, text)


def _step_of(line: bytes) -> float:
    """Return the step of a line; infinity for a corrupt one, as a power loss or a stranger leaves it."""
    try:
        return int(_parse(line)["step"])
    except ValueError:
        return math.inf


def _parse(line: bytes) -> dict[str, Any]:
    """Return a line of numbers by name; raises ValueError for anything else."""
    content = parse_json(line)
    if not isinstance(content, dict) or type(content.get("step")) is not int:
        raise ValueError("no step")
    if not all(value is None or type(value) in (int, float) for value in content.values()):
        raise ValueError("a value that is no number")
    return content


def _without_scores(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if not key.startswith("metrics/")}


def _complete_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines from where a file is, without their ends and without a last one that has none."""
    pieces: list[bytes] = []  # of a line whose end has not been read
    while block := file.read(_BLOCK):
        first, *others = block.split(b"\n")
        pieces.append(first)
        if others:
            yield b"".join(pieces)
            yield from others[:-1]
            pieces = [others[-1]]


def _lines_from_end(file: BinaryIO) -> Iterator[bytes]:
    """Yield the same lines of a whole file, the last one first."""
    start, is_end = os.fstat(file.fileno()).st_size, True
    pieces: list[bytes] = []  # of a line whose start has not been read, the last one first
    while start > 0:
        size = min(_BLOCK, start)
        start -= size
        file.seek(start)
        first, *lines = file.read(size).split(b"\n")
        if lines:
            lines[-1] += b"".join(reversed(pieces))
            yield from reversed(lines[:-1] if is_end else lines)
            pieces, is_end = [], False
        pieces.append(first)
    if not is_end:
        yield b"".join(reversed(pieces))
