"""Where things live on disk, and what they may be called."""

import os
import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def relative(path: Path) -> Path:
    """A path below the current folder as it is seen from there, any other as it is."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path


def quoted(path: Path | str) -> str:
    """A path in single quotes as a shell reads it, whatever its own name holds."""
    return "'" + str(path).replace("'", "'\"'\"'") + "'"


def config_dir() -> Path:
    """Folder of the YAML files: inside an installed wheel, or at the top of a checkout."""
    packaged = PACKAGE / "configs"
    return packaged if packaged.is_dir() else PACKAGE.parent / "configs"


def cache_dir() -> Path:
    """Folder for downloads and decoded images: ``$GAN_LAB_CACHE``, else the user's cache folder."""
    given = os.environ.get("GAN_LAB_CACHE")
    if given:
        return Path(given).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base).expanduser() if base else Path.home() / ".cache") / "gan-lab"


def data_dir() -> Path:
    """Folder for downloaded data sets: ``$GAN_LAB_DATA``, else ``data`` in `cache_dir`."""
    given = os.environ.get("GAN_LAB_DATA")
    return Path(given).expanduser() if given else cache_dir() / "data"


def to_file_name(text: str, length: int = 80) -> str:
    """Return ``text`` as part of a file name: at most ``length`` ASCII letters, digits and . _ = , + -"""
    plain = re.sub(r"[][(){}'\"]", "", text)  # a list's values would look negative behind a -
    return re.sub(r"[^A-Za-z0-9._=,+-]+", "-", plain)[:length].strip(".-,")
