"""The user's own images, decoded once into a memory-mapped cache outside their folder."""

import hashlib
import json
import logging
import os
import shutil
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.base import Images
from gan_lab.errors import ConfigurationError, DataError
from gan_lab.paths import cache_dir

_log = logging.getLogger(__name__)

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
MODES = {1: "L", 3: "RGB"}


def image_folder(path: str | None, size: int = 64, channels: int = 3, name: str = "image_folder") -> Images:
    """Every readable image below ``path``: short side resized to ``size``, the middle cut out, N of them.

    Grey, palette, alpha, 16-bit and CMYK images become 1 or 3 ``channels`` of 8 bits. Files that cannot be
    read are skipped and listed, in a warning and in ``skipped.txt`` beside the cache.
    """
    if not path:
        raise ConfigurationError("dataset.path must name a folder of images, got nothing")
    if isinstance(size, bool) or not isinstance(size, int) or not 4 <= size <= 1024:
        raise ConfigurationError(f"dataset.size must be a whole number from 4 to 1024, got {size!r}")
    if channels not in MODES:
        raise ConfigurationError(f"dataset.channels must be 1 or 3, got {channels!r}")
    folder = Path(path).expanduser().absolute()
    if not folder.exists():
        raise DataError(f"dataset.path={path} does not exist")
    if not folder.is_dir():
        raise DataError(f"dataset.path={path} is a file, and must be a folder of images")
    files = list_images(folder)
    if not files:
        raise DataError(f"dataset.path={path} holds no images ({', '.join(sorted(SUFFIXES))})")
    return Images(cached_images(folder, files, size=size, channels=channels), name=name)


def list_images(folder: Path) -> list[Path]:
    """Image files below a folder by their suffix, sorted; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}")
        _log.warning("%s cannot be read: %s", error.filename, error.strerror)

    found = [
        Path(where) / file
        for where, _, files in os.walk(folder, onerror=refuse)
        for file in files
        if Path(file).suffix.lower() in SUFFIXES
    ]
    return sorted(found)


def cached_images(source: Path, files: Sequence[Path], *, size: int, channels: int) -> Tensor:
    """(N, channels, size, size) uint8, mapped from a cache that is made anew when a file changes.

    Opening an existing cache looks at names, sizes and times of the files, and decodes nothing.
    """
    place = hashlib.sha256(f"{source}\n{size}\n{channels}".encode()).hexdigest()[:16]
    folder = cache_dir() / "images" / place / _fingerprint(source, files)[:16]
    if not (folder / "images.npy").exists():
        if folder.parent.exists():
            shutil.rmtree(folder.parent)  # of other times: a stale cache, or a build that was interrupted
        _build(folder, source, files, size, channels)
    skipped = (folder / "skipped.txt").read_text().splitlines()
    if skipped:
        shown = "; ".join(skipped[:3])
        more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        _log.warning("%d images skipped: %s%s (%s)", len(skipped), shown, more, folder / "skipped.txt")
    mapped = np.load(folder / "images.npy", mmap_mode="r")
    with warnings.catch_warnings():
        # It is never written to: batches are gathered out of it.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(mapped)


def _fingerprint(source: Path, files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        try:
            stat = file.stat()
            seen = (stat.st_size, stat.st_mtime_ns)
        except OSError:
            seen = (0, 0)
        digest.update(json.dumps([str(file.relative_to(source)), *seen]).encode())
    return digest.hexdigest()


def _build(folder: Path, source: Path, files: Sequence[Path], size: int, channels: int) -> None:
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    skipped: list[str] = []
    kept = 0
    images = np.lib.format.open_memmap(
        temporary / "all.npy", mode="w+", dtype=np.uint8, shape=(len(files), channels, size, size)
    )
    # Pillow decodes and resizes outside Python's lock, so threads use all cores.
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        decoded = pool.map(lambda file: _decode(file, size, channels), files)
        for file, image in tqdm(zip(files, decoded, strict=True), "decoding", len(files), disable=None):
            if isinstance(image, str):
                skipped.append(f"{file.relative_to(source)}: {image}")
            else:
                images[kept] = image
                kept += 1
    if kept == 0:
        shutil.rmtree(temporary)
        raise DataError(f"none of the {len(files)} images in {source} can be read: {skipped[0]}")
    if skipped:
        whole = np.lib.format.open_memmap(
            temporary / "images.npy", mode="w+", dtype=np.uint8, shape=(kept, *images.shape[1:])
        )
        for start in range(0, kept, 4096):
            whole[start : start + 4096] = images[start : min(start + 4096, kept)]
        whole.flush()
        (temporary / "all.npy").unlink()
    else:
        images.flush()
        (temporary / "all.npy").rename(temporary / "images.npy")
    (temporary / "skipped.txt").write_text("".join(f"{line}\n" for line in skipped))
    temporary.rename(folder)


def _decode(file: Path, size: int, channels: int) -> np.ndarray | str:
    """(channels, size, size) uint8, or why the file cannot be read."""
    try:
        with Image.open(file) as opened:
            if opened.mode.startswith("I") or opened.mode == "F":  # 16 bits or more: to 8, not cut off
                deep = np.asarray(opened, dtype=np.float64)
                image = Image.fromarray((deep * (255 / max(deep.max(), 65535))).astype(np.uint8))
            else:
                opened.draft(MODES[channels], (size, size))
                image = ImageOps.exif_transpose(opened)
            if image.mode in ("P", "PA", "LA", "RGBa", "La") or "transparency" in image.info:
                image = image.convert("RGBA")
            if image.mode == "RGBA":
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            fitted = ImageOps.fit(image.convert(MODES[channels]), (size, size), Image.Resampling.LANCZOS)
        pixels = np.asarray(fitted, dtype=np.uint8)
    except (OSError, ValueError, SyntaxError, EOFError, MemoryError, Image.DecompressionBombError) as error:
        return " ".join(str(error).split())
    except Image.DecompressionBombWarning as error:
        return " ".join(str(error).split())
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)
