"""``samples/*.png`` of one seed: grids of generated samples by step, and one of training data. No torch."""

import io
from pathlib import Path

from gan_lab.runs.reader import read_bytes
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write

SAMPLES = "samples"
REAL = "real.png"
MAX_PNG = 64 * 2**20  # bytes
MAX_PIXELS = 2**26


def write_samples(folder: Path, step: int, png: bytes) -> None:
    """Write the grid of a step into a seed's folder, as ``samples/step_<n>.png``."""
    _write(folder, f"step_{step:06d}.png", png)


def write_real(folder: Path, png: bytes) -> None:
    """Write the grid of training data into a seed's folder, as ``samples/real.png``."""
    _write(folder, REAL, png)


def has_real(folder: Path) -> bool:
    return (folder / SAMPLES / REAL).exists()


def sample_grids(folder: Path) -> list[Path]:
    """List the grids in a seed's folder, that of the latest step last."""
    return sorted((folder / SAMPLES).glob("step_*.png"), key=grid_step)


def grid_step(path: Path) -> int:
    """Return the step of a grid from its file's name, -1 if the name tells none."""
    digits = path.stem.removeprefix("step_")
    return int(digits) if digits.isdecimal() and len(digits) < 19 else -1


def grid_size(path: Path, run: Path) -> tuple[int, int]:
    """Decode a grid and return its width and height; raises GanLabError if it is corrupt or too large."""
    from PIL import Image

    data = read_bytes(path, run, MAX_PNG)
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                raise GanLabError(f"{path} is damaged: it has {width} x {height} pixels")
            picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # as Pillow names them
        raise GanLabError(f"{path} is damaged: it is not a whole PNG file") from error
    return width, height


def _write(folder: Path, name: str, png: bytes) -> None:
    path = folder / SAMPLES / name
    path.parent.mkdir(exist_ok=True)
    atomic_write(path, png)
