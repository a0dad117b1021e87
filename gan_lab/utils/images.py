"""Pictures as files."""

from pathlib import Path
from typing import BinaryIO

from PIL import Image
from torch import Tensor


def save_png(picture: Tensor, path: Path | BinaryIO) -> None:
    """Write (3, H, W) uint8 as a PNG file."""
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(path, format="PNG")
