"""``generator.safetensors``: the weights of one seed's generator, apart from the checkpoint."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write

WEIGHTS = "generator.safetensors"


def write_weights(folder: Path, state: Mapping[str, Tensor]) -> None:
    """Write a generator's state into its seed's folder."""
    atomic_write(folder / WEIGHTS, save({n: t.detach().cpu().contiguous() for n, t in state.items()}))


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read a generator's state from its seed's folder; raises GanLabError if it is missing or corrupt."""
    path = folder / WEIGHTS
    if not path.exists():
        raise GanLabError(f"{folder.parent} has no weights yet: its first checkpoint is still to come")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise GanLabError(f"{path} is not a sound safetensors file: {error}") from error
