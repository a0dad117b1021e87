"""``stats.jsonl``: the scalars of one seed, one line per step. Imports no torch."""

import json
import math
import os
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from gan_lab.runs.reader import open_regular, parse_json, read_bytes
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write

STATS = "stats.jsonl"
_MAX_SIZE = 2**28  # bytes
_TAIL = 65_536  # bytes at the end of the file in which the last complete line is looked for


def read_stats(folder: Path, measured_from: int = 0) -> list[dict[str, Any]]:
    """Return the lines of a seed's ``stats.jsonl``, without a last line that a crash has cut off.

    Lines of steps before ``measured_from`` come without ``metrics/*``: those scores were made otherwise.
    Raises GanLabError for a corrupt file.
    """
    path = folder / STATS
    try:
        lines = [_parse(line) for line in _complete_lines(path)] if os.path.lexists(path) else []
        return [line if line["step"] >= measured_from else _without_scores(line) for line in lines]
    except (ValueError, TypeError, KeyError):
        raise GanLabError(f"{path} is damaged: move it away, then run the same command again") from None


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
    path = folder / STATS
    try:
        with open_regular(path, folder.parent) as file:
            file.seek(max(os.fstat(file.fileno()).st_size - _TAIL, 0))
            lines = file.read().split(b"\n")[:-1]
        return int(_parse(lines[-1].decode())["step"])
    except (OSError, ValueError, IndexError):
        return 0


def _truncate_after(path: Path, step: int) -> None:
    """Remove the lines after ``step``, and everything from the first corrupt line on."""
    if not path.exists():
        return
    text = "".join(
        f"{line}\n" for line in takewhile(lambda line: _step_of(line) <= step, _complete_lines(path))
    )
    if len(text.encode()) != path.stat().st_size:
        atomic_write(path, text)


def _step_of(line: str) -> float:
    """Return the step of a line; infinity for a corrupt one, as a power loss or a stranger leaves it."""
    try:
        return int(_parse(line)["step"])
    except ValueError:
        return math.inf


def _parse(line: str) -> dict[str, Any]:
    """Return a line of numbers by name; raises ValueError for anything else."""
    content = parse_json(line.encode())
    if not isinstance(content, dict) or type(content.get("step")) is not int:
        raise ValueError("no step")
    if not all(value is None or type(value) in (int, float) for value in content.values()):
        raise ValueError("a value that is no number")
    return content


def _without_scores(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if not key.startswith("metrics/")}


def _complete_lines(path: Path) -> Sequence[str]:
    text = read_bytes(path, path.parent.parent, _MAX_SIZE).decode()
    return text[: text.rfind("\n") + 1].splitlines()
