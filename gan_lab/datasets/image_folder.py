"""The user's own images, decoded once into a memory-mapped cache outside their folder."""

import hashlib
import json
import logging
import os
import shutil
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from filelock import FileLock
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.base import Images, check_size
from gan_lab.datasets.files import absolute, list_images, stamp_files
from gan_lab.utils.errors import ConfigurationError, DataError, summarize_exception
from gan_lab.utils.paths import cache_dir

_log = logging.getLogger(__name__)

MODES = {1: "L", 3: "RGB"}
DECODING = 1  # counts changes of the lines below that give other pixels for the same files
AHEAD = 256  # images that may wait in memory until they are written


def load_image_folder(
    path: str | None, size: int = 64, channels: int = 3, name: str = "image_folder"
) -> Images:
    """Every readable image below ``path``: short side resized to ``size``, the middle cut out, N of them.

    Grey, palette, alpha (onto white), 16-bit and CMYK images become 1 or 3 ``channels`` of 8 bits, turned
    as their EXIF says. Files that cannot be read are skipped and listed, in a warning and in
    ``skipped.txt`` beside the cache.
    """
    if path is None or path == "":
        raise ConfigurationError("dataset.path must name a folder of images, got nothing")
    check_size(size)
    if type(channels) is not int or channels not in MODES:
        raise ConfigurationError(f"dataset.channels must be 1 or 3, got {channels!r}")
    folder = absolute(str(path))
    try:
        folder.stat()
    except FileNotFoundError:
        raise DataError(f"dataset.path={path} does not exist") from None
    except (OSError, ValueError) as error:
        reason = summarize_exception(error, bare=True)
        raise DataError(f"dataset.path={path} cannot be read: {reason}") from error
    if not folder.is_dir():
        raise DataError(f"dataset.path={path} is a file, and must be a folder of images")
    files = list_images(folder).images
    if not files:
        raise DataError(f"dataset.path={path} holds no images")
    stamp = stamp_files(folder, files)
    return Images(cached_images(folder, files, size=size, channels=channels), name=name, stamp=stamp)


def cached_images(source: Path, files: Sequence[Path], *, size: int, channels: int, part: str = "") -> Tensor:
    """(N, channels, size, size) uint8, mapped from a cache that is made anew when a file changes.

    Opening an existing cache looks at names, sizes and times of the files, and decodes nothing. ``part``
    tells lists of files apart that come from one folder. The tensor must not be written to.
    """
    identity = [os.fsdecode(source), size, channels, part, DECODING]
    place = cache_dir() / "images" / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]
    folder = place / stamp_files(source, files)[:16]
    try:
        if not (folder / "images.npy").exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{place}.lock"):  # the jobs of a sweep start together; one of them decodes
                if not (folder / "images.npy").exists():
                    shutil.rmtree(place, ignore_errors=True)  # a stale cache, or an interrupted build
                    _build(folder, source, files, size, channels)
        skipped = (folder / "skipped.txt").read_text("utf-8").splitlines()
    except OSError as error:
        reason = summarize_exception(error, bare=True)
        raise DataError(
            f"the cache of decoded images in {place.parent} cannot be used: {reason} "
            "(GAN_LAB_CACHE=<folder> puts it elsewhere)"
        ) from error
    if skipped:
        shown = "; ".join(skipped[:3])
        more = f" and {len(skipped) - 3} more" if len(skipped) > 3 else ""
        _log.warning(
            "skipped %d of %d image files: %s%s (%s)",
            len(skipped),
            len(files),
            shown,
            more,
            folder / "skipped.txt",
        )
    mapped = np.load(folder / "images.npy", mmap_mode="r")
    with warnings.catch_warnings():
        # It is never written to: batches are gathered out of it.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(mapped)


def _build(folder: Path, source: Path, files: Sequence[Path], size: int, channels: int) -> None:
    """Decode into a folder of another name and rename it when it is whole."""
    temporary = folder.with_name(f"{folder.name}.tmp")
    temporary.mkdir(parents=True)
    try:
        skipped: list[str] = []
        # Written one after another, not into a map of the whole: a full disk is then an error and no crash.
        with (temporary / "images.npy").open("wb") as written:
            start = _write_header(written, (len(files), channels, size, size))
            progress = tqdm(_decoded(files, size, channels), "decoding", len(files), disable=None)
            for file, image in zip(files, progress, strict=True):
                if isinstance(image, str):
                    skipped.append(" ".join(f"{file.relative_to(source)}: {image}".split()))
                else:
                    written.write(image.tobytes())
            kept = len(files) - len(skipped)
            if kept == 0:
                raise DataError(f"none of the {len(files)} images in {source} can be read: {skipped[0]}")
            written.seek(0)
            assert _write_header(written, (kept, channels, size, size)) == start
        lines = "".join(f"{line}\n" for line in skipped)
        (temporary / "skipped.txt").write_text(lines, "utf-8", "backslashreplace")
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Its length is the same for every N: numpy leaves room for 21 digits there."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def _decoded(files: Sequence[Path], size: int, channels: int) -> Iterator[np.ndarray | str]:
    # Pillow decodes and resizes outside Python's lock, so threads use all cores.
    waiting: deque[Future[np.ndarray | str]] = deque()
    with ThreadPoolExecutor(os.cpu_count()) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata; what cannot be read is listed
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for file in files:
            waiting.append(pool.submit(_decode, file, size, channels))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _decode(file: Path, size: int, channels: int) -> np.ndarray | str:
    """(channels, size, size) uint8, or why the file cannot be read."""
    try:
        if not file.is_file():  # opening a named pipe would wait for ever
            return "not a file"
        with Image.open(file) as opened:
            # JPEGs are decoded at the smallest of their scales that is still twice as large as wanted.
            opened.draft(MODES[channels], (2 * size, 2 * size))
            image = _eight_bits(ImageOps.exif_transpose(opened))
        if image.mode in ("PA", "LA", "RGBa") or "transparency" in image.info:
            image = image.convert("RGBA")
        if image.mode == "RGBA":
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        fitted = ImageOps.fit(image.convert(MODES[channels]), (size, size), Image.Resampling.LANCZOS)
        pixels = np.asarray(fitted, dtype=np.uint8)
    except UnidentifiedImageError:
        return "not an image that Pillow knows"
    except Exception as error:  # a damaged file can raise anything: struct.error, KeyError, zlib.error, ...
        return summarize_exception(error, bare=True)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Gray of 16 or 32 bits scaled to 8, where Pillow itself would cut off at 255."""
    if not image.mode.startswith("I") and image.mode != "F":
        return image
    deep = np.nan_to_num(np.asarray(image, dtype=np.float64))
    white = 65535.0 if image.mode != "F" else 1.0 if deep.max() <= 1 else 255.0
    scaled = deep * (255 / max(deep.max(), white))
    return Image.fromarray(scaled.round().clip(0, 255).astype(np.uint8))
