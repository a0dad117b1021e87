"""``loggers.json``: the ids under which loggers know a seed, with which they continue. Imports no torch."""

import json
from collections.abc import Mapping
from pathlib import Path

from gan_lab.runs.reader import parse_json, read_bytes
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write

LOGGER_IDS = "loggers.json"


def read_logger_ids(folder: Path) -> dict[str, str]:
    """Return logger -> id, from a seed's folder; nothing if the file is missing or cannot be read."""
    try:
        content = parse_json(read_bytes(folder / LOGGER_IDS, folder.parent))
    except (FileNotFoundError, ValueError, GanLabError):  # a logger then begins again, and loses nothing here
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: value for name, value in content.items() if isinstance(value, str)}


def write_logger_ids(folder: Path, ids: Mapping[str, str]) -> None:
    atomic_write(folder / LOGGER_IDS, json.dumps(dict(ids), indent=2) + "\n")
