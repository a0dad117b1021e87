"""Image files for tests, and what is read of them."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gan_lab.utils.paths import cache_dir

RED = (255, 0, 0)


def save(
    path: Path, color: Any = RED, mode: str = "RGB", size: tuple[int, int] = (20, 12), **kw: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **kw)
    return path


def color(data: Any, index: int = 0) -> list[int]:
    """The color of an image of one color."""
    pixels = data.data[index].flatten(1).int()
    assert (pixels.amax(1) - pixels.amin(1)).max() <= 1
    return pixels[:, 0].tolist()


def caches() -> list[Path]:
    return sorted(path.parent for path in (cache_dir() / "images").rglob("images.npy"))


def scene(size: int = 40) -> Image.Image:
    """Blue above green, a yellow square top left."""
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[: size // 2], pixels[size // 2 :] = (90, 160, 255), (40, 160, 60)
    pixels[4 : size // 3, 4 : size // 3] = (255, 230, 0)
    return Image.fromarray(pixels)


def check_pixels(data: Any, index: int, expected: np.ndarray) -> None:
    for channel in data.data[index].double().numpy():
        np.testing.assert_allclose(channel, expected, atol=1)


def damaged(folder: Path) -> int:
    """Files of every kind that cannot be read; how many."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("this is no image")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    return 5
