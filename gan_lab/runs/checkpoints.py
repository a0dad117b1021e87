"""Checkpoints: written whole or not at all, the last few kept, checked, and read without running code."""

import hashlib
import io
import logging
import pickle
from pathlib import Path
from typing import Any

import torch

from gan_lab.runs.checkpoint_files import (
    checkpoint_files,
    checkpoint_path,
    checksum_path,
    spare_files,
    step_of,
)
from gan_lab.runs.formats import check_format
from gan_lab.runs.reader import read_bytes
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write
from gan_lab.utils.memory import available
from gan_lab.utils.text import truncate

CHECKPOINT_FORMAT = 3
MAX_BYTES = 2**38  # where the system does not say how much memory is free

_log = logging.getLogger(__name__)


def save(folder: Path, step: int, identity: str, content: dict[str, Any], keep: int) -> None:
    """Write ``content`` (tensors, numbers, strings, lists, dictionaries) as a run's checkpoint of ``step``.

    Writes its SHA-256 beside it, and removes all but the last ``keep`` checkpoints.
    """
    folder.mkdir(exist_ok=True)
    path = checkpoint_path(folder, step)
    buffer = io.BytesIO()
    torch.save({"format": CHECKPOINT_FORMAT, "identity": identity, "step": step, **content}, buffer)
    data = buffer.getvalue()
    # The sum first: a crash between the two leaves a sum without a checkpoint, which does no harm.
    atomic_write(checksum_path(path), f"{hashlib.sha256(data).hexdigest()}  {path.name}\n")
    atomic_write(path, data)
    # A checkpoint of a later step is damaged, else it would have been resumed from: it must not be kept.
    for later in checkpoint_files(folder):
        if step_of(later) > step:
            later.unlink()
    for spare in spare_files(folder, keep):
        spare.unlink()


def load_latest(folder: Path, identity: str) -> dict[str, Any] | None:
    """Read the newest sound checkpoint in ``folder``, None if there is none; damaged ones are logged.

    Tensors are on the CPU: the engine that takes them makes the only copy on the device.

    Raises GanLabError for a checkpoint of another format or of a run of another identity.
    """
    paths = checkpoint_files(folder)
    for path in reversed(paths):
        data = read_bytes(path, folder.parent, available() or MAX_BYTES)
        sum_path = checksum_path(path)
        recorded = read_bytes(sum_path, folder.parent) if sum_path.exists() else b""
        if recorded.split()[:1] != [hashlib.sha256(data).hexdigest().encode()]:
            remedy = "starting from the beginning" if path == paths[0] else "resuming from the one before it"
            _log.warning("%s is damaged: %s", path, remedy)
            continue
        try:
            content: dict[str, Any] = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError) as error:
            raise GanLabError(
                f"{path} is not read, because it holds more than numbers, or is no checkpoint "
                f"({truncate(str(error), 80)}): rerun=true starts over"
            ) from error
        remedy = f"rerun=true starts over and archives it, or move {folder} away"
        number = content.get("format") if isinstance(content, dict) else None
        check_format(path, number, CHECKPOINT_FORMAT, remedy)
        if content.get("identity") != identity:
            raise GanLabError(f"{path} is the checkpoint of a run of another configuration: {remedy}")
        return content
    return None
