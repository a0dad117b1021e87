"""``stats.jsonl``: the scalars of one seed, one line per step. Imports no torch."""

import json
import math
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from gan_lab.utils.files import atomic_write

STATS = "stats.jsonl"
_TAIL = 65_536  # bytes at the end of the file in which the last complete line is looked for


def read_stats(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a seed's ``stats.jsonl`` without a last one that a crash has cut off."""
    path = folder / STATS
    return [json.loads(line) for line in _complete_lines(path)] if path.exists() else []


def truncate_after(path: Path, step: int) -> None:
    """Remove the lines after ``step``, and everything from the first corrupt line on."""
    if not path.exists():
        return
    text = "".join(
        f"{line}\n" for line in takewhile(lambda line: _step_of(line) <= step, _complete_lines(path))
    )
    if len(text.encode()) != path.stat().st_size:
        atomic_write(path, text)


def _step_of(line: str) -> float:
    """Return the step of a line; infinity for a corrupt one, as a power loss leaves it."""
    try:
        return int(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return math.inf


def last_step(folder: Path) -> int:
    """Return the step of the last complete line, 0 if there is none; reads only the end of the file."""
    path = folder / STATS
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _TAIL, 0))
            lines = file.read().split(b"\n")[:-1]
        return int(json.loads(lines[-1])["step"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return 0


def _complete_lines(path: Path) -> Sequence[str]:
    text = path.read_text()
    return text[: text.rfind("\n") + 1].splitlines()
