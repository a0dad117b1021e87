"""``generator.safetensors``: the weights of one seed's generator, apart from the checkpoint."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from gan_lab.runs.initial_weights import WEIGHTS
from gan_lab.runs.reader import read_bytes
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write
from gan_lab.utils.memory import available

MAX_BYTES = 2**36  # where the system does not say how much memory is free


def write_weights(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Write a generator's state into its seed's folder."""
    atomic_write(folder / WEIGHTS, save({n: t.detach().cpu().contiguous() for n, t in state.items()}))


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read a generator's state from its seed's folder; raises GanLabError if it is missing or corrupt."""
    try:
        return read_safetensors(folder / WEIGHTS, folder.parent)
    except FileNotFoundError as error:
        raise GanLabError(
            f"{folder.parent} has no weights yet: its first checkpoint is still to come"
        ) from error


def read_safetensors(path: Path, folder: Path) -> dict[str, Tensor]:
    """Read a safetensors file in ``folder``, or below it; raises GanLabError if it is corrupt."""
    try:
        return load(read_bytes(path, folder, available() or MAX_BYTES))
    except SafetensorError as error:
        raise GanLabError(f"{path} is not a sound safetensors file: {error}") from error
