"""Files of a run's checkpoints: which there are, and which of them are spare. Imports no torch."""

import re
from pathlib import Path

CHECKPOINTS = "checkpoint"
_NAME = re.compile(r"step_(\d{8,})\.pt")


def checkpoint_path(folder: Path, step: int) -> Path:
    return folder / f"step_{step:08d}.pt"


def checkpoint_files(folder: Path) -> list[Path]:
    """List the checkpoints in a folder called `CHECKPOINTS`, the latest last."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), key=step_of)


def step_of(path: Path) -> int:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def checksum_path(path: Path) -> Path:
    """Return where the SHA-256 of a checkpoint is, in the format of ``sha256sum``."""
    return path.with_name(f"{path.name}.sha256")


def spare_files(folder: Path, keep: int) -> list[Path]:
    """List the files that are not of the last ``keep`` checkpoints, in the order in which they are removed.

    The oldest comes first, and each before its checksum: a kill on the way damages none of those that stay.
    """
    paths = checkpoint_files(folder)
    spare = [file for path in paths[: max(len(paths) - keep, 0)] for file in (path, checksum_path(path))]
    sums = [path for path in folder.glob("step_*.pt.sha256") if _NAME.fullmatch(path.stem)]
    lone = sorted(path for path in sums if path.with_suffix("") not in paths)
    return [path for path in (*spare, *lone) if path.exists() or path.is_symlink()]
