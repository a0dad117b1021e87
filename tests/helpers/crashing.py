"""Processes that die at a chosen file operation, and disks that forget what was never synced.

A killed process can only be told from another by which of its file operations took place. There are few
enough of them in a short run to die before each one.
"""

import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.helpers.killing import Starter, differences, traces

OPERATIONS = ("fsync", "replace", "rename", "unlink", "mkdir")


def die_before(number: int, notes: Path) -> None:
    """Have this process kill itself before its operation of this number (0: never).

    notes: a folder that learns how many operations there were, and what was on the disk for sure.
    """
    notes.mkdir(exist_ok=True)
    count = 0

    def watched(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            with (notes / "operations").open("a") as file:
                file.write(f"{count} {name}\n")
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(*arguments, **named)
            if name == "fsync":
                status = os.fstat(arguments[0])
                with (notes / "synced").open("a") as file:
                    file.write(json.dumps([status.st_ino, status.st_size]) + "\n")
            return result

        return operation

    for name in OPERATIONS:
        setattr(os, name, watched(name, getattr(os, name)))


def operations(notes: Path) -> int:
    return len((notes / "operations").read_text().splitlines())


def lose_power(folder: Path, notes: Path) -> list[str]:
    """Cut every file down to what was synced of it, the worst that a disk may do; returns their names."""
    text = (notes / "synced").read_text() if (notes / "synced").exists() else ""
    synced = dict(json.loads(line) for line in text.splitlines())
    lost = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            status = path.stat()
            kept = min(synced.get(status.st_ino, 0), status.st_size)
            if kept < status.st_size:
                os.truncate(path, kept)
                lost.append(path.name)
    return lost


def dies_and_resumes(
    starter: Starter,
    words: tuple[str, ...],
    expected: dict[str, object],
    number: int,
    root: Path,
    *,
    power: bool,
) -> list[str]:
    """What differs after a run died before its operation of this number and was started again."""
    folder, notes, output = (root / f"{name}_{number}" for name in ("run", "notes", "output"))
    output.mkdir()
    process = starter.start(folder, words, partial(die_before, number, notes), output)
    process.join(120)
    assert process.exitcode == -9, (output / "err").read_text()
    if power:
        lose_power(folder, notes)
    second = starter.start(folder, words, output=output)
    second.join(120)
    assert second.exitcode == 0, (output / "err").read_text()
    return differences(expected, traces(folder))
