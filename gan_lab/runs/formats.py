"""JSON files with a format number, which other versions of gan-lab may have written. Imports no torch."""

from pathlib import Path
from typing import Any

from gan_lab.runs.reader import parse_json, read_bytes
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.text import truncate


def read_record(
    path: Path, folder: Path, known: int, *, remedy: str, outdated: str = ""
) -> dict[str, Any] | None:
    """Read a file inside ``folder`` that holds one JSON object; None if there is none.

    Raises GanLabError for a file that is damaged, with ``remedy``, or of another format, with ``outdated``
    if that is another one.
    """
    try:
        content = parse_json(read_bytes(path, folder))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(path, remedy, truncate(str(error), 80)) from None
    if not isinstance(content, dict):
        raise damaged(path, remedy)
    check_format(path, content.get("format"), known, outdated or remedy)
    return content


def damaged(path: Path, remedy: str, detail: str = "") -> GanLabError:
    """Return the error for a file that is not what gan-lab writes."""
    return GanLabError(f"{path} is damaged{f' ({detail})' if detail else ''}: {remedy}")


def check_format(path: Path, number: Any, known: int, remedy: str) -> None:
    """Raise GanLabError unless a file has the format number that this version reads."""
    if type(number) is int and number == known:
        return
    version = f"format {number}" if type(number) is int else "no format number"
    age = "a newer" if type(number) is int and number > known else "an older"
    raise GanLabError(
        f"{path} was written by {age} version of gan-lab ({version}; this one reads format {known}): {remedy}"
    )
