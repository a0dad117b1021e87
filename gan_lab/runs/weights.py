"""``generator.safetensors`` and ``generator_best.safetensors``: weights of one seed's generator.

They are apart from the checkpoint. What the best one is the best by stands in its file's header.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gan_lab.runs.initial_weights import WEIGHTS
from gan_lab.runs.reader import parse_json, read_bytes
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write
from gan_lab.utils.memory import available

BEST_WEIGHTS = "generator_best.safetensors"
_ABOUT = "gan_lab"  # the header's only entry, since the order of several is not the same each time
MAX_BYTES = 2**36  # where the system does not say how much memory is free


def write_weights(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Write a generator's state into its seed's folder."""
    atomic_write(folder / WEIGHTS, save(_on_cpu(state)))


def write_best_weights(folder: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write the state of a seed's best generator; about: its step, and the metric and score of that step."""
    atomic_write(folder / BEST_WEIGHTS, save(_on_cpu(state), {_ABOUT: json.dumps(dict(about))}))


def _on_cpu(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read a generator's state from its seed's folder; raises GanLabError if it is missing or corrupt."""
    try:
        return read_safetensors(folder / WEIGHTS, folder.parent)
    except FileNotFoundError as error:
        raise GanLabError(
            f"{folder.parent} has no weights yet: its first checkpoint is still to come"
        ) from error


def read_best_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the state of a seed's best generator, and its step, metric and score.

    Raises GanLabError if it is missing or corrupt.
    """
    path = folder / BEST_WEIGHTS
    try:
        data = read_bytes(path, folder.parent, available() or MAX_BYTES)
    except FileNotFoundError as error:
        raise GanLabError(
            f"{folder} has no best generator: a run keeps it with keep_best=true, from its first checkpoint "
            "after a score on"
        ) from error
    try:
        length = int.from_bytes(data[:8], "little")
        about = parse_json(parse_json(data[8 : 8 + length])["__metadata__"][_ABOUT].encode())
        if type(about["step"]) is not int or not isinstance(about["metric"], str):
            raise TypeError
        return load(data), {"step": about["step"], "metric": about["metric"], "score": float(about["score"])}
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GanLabError(f"{path} is not a sound safetensors file of gan-lab's") from error


def read_safetensors(path: Path, folder: Path) -> dict[str, Tensor]:
    """Read a safetensors file in ``folder``, or below it; raises GanLabError if it is corrupt."""
    try:
        return load(read_bytes(path, folder, available() or MAX_BYTES))
    except SafetensorError as error:
        raise GanLabError(f"{path} is not a sound safetensors file: {error}") from error
