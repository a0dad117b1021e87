"""Processes that die at a chosen file operation, and disks that forget what was never synced.

A killed process can only be told from another by which of its file operations took place. There are few
enough of them in a short run to die before each one.
"""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
                file_now = os.fstat(arguments[0])
                with (notes / "synced").open("a") as file:
                    file.write(json.dumps([file_now.st_ino, file_now.st_size]) + "\n")
            return result

        return operation

    for name in OPERATIONS:
        setattr(os, name, watched(name, getattr(os, name)))


def operations(notes: Path) -> int:
    return len((notes / "operations").read_text().splitlines())


def lose_power(folder: Path, notes: Path) -> list[str]:
    """Cut every file down to what was synced of it, the worst that a disk may do; returns their names."""
    said = (notes / "synced").read_text() if (notes / "synced").exists() else ""
    synced = dict(json.loads(line) for line in said.splitlines())
    lost = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            now = path.stat()
            kept = min(synced.get(now.st_ino, 0), now.st_size)
            if kept < now.st_size:
                os.truncate(path, kept)
                lost.append(path.name)
    return lost
