"""Format numbers of the files that other versions of gan-lab may have written. Imports no torch."""

from pathlib import Path
from typing import Any

from gan_lab.utils.errors import GanLabError


def check_format(path: Path, number: Any, known: int, remedy: str) -> None:
    """Raise GanLabError unless a file has the format number that this version reads."""
    if type(number) is int and number == known:
        return
    version = f"format {number}" if type(number) is int else "no format number"
    age = "a newer" if type(number) is int and number > known else "an older"
    raise GanLabError(
        f"{path} was written by {age} version of gan-lab ({version}; this one reads format {known}): {remedy}"
    )
