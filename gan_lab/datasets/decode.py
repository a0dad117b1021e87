"""One image file to pixels: turned upright, fitted into a square, on a plain background."""

import errno
import hashlib
import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gan_lab.utils.errors import summarize_exception
from gan_lab.utils.memory import available
from gan_lab.utils.text import format_bytes

MODES = {1: "L", 3: "RGB"}
ORIENTATION = 0x0112  # EXIF tag; its values from 2 to 8 say how to turn the stored pixels upright
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Of one decoded pixel with all its copies on the way, as measured over formats and modes.
BYTES_PER_PIXEL = 20
MEMORY = 2**30  # for all threads together; a single image may take more, alone
# A link that leads nowhere, or in a circle: its file is not there, and the stamp says when it is.
_ABSENT = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)


class UnreadableNow(Exception):
    """A file that may be a good image cannot be read this time: no permission, no memory, a failing disk."""


@dataclass(frozen=True)
class Skipped:
    """A file that holds no image that can be used. unknown: Pillow knows no format that begins like it."""

    reason: str
    unknown: bool = False


@dataclass(frozen=True)
class Decoded:
    """An image of a file.

    pixels: (C, S, S) uint8, or (1, S, S) float32 if the file has more than 8 bits a value and no range was
    given; limits: smallest and largest value in such a file; digest: SHA-256 of the file; notes: what people
    should know of it ("stack", "transparent", "vanished", "alpha ignored", "upper byte").
    """

    pixels: np.ndarray
    digest: bytes
    limits: tuple[float, float] | None
    notes: frozenset[str]


class MemoryBudget:
    """Let threads take the bytes that are left of ``limit``; who needs more than all waits to be alone."""

    def __init__(self, limit: int) -> None:
        self.limit, self._taken = limit, 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._taken or self._taken + size <= self.limit)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


@dataclass(frozen=True)
class Decoder:
    """How files become pixels; see `load_image_folder` for the first four."""

    size: int
    channels: int
    range: tuple[float, float] | None = None
    background: str = "white"
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(MEMORY))

    def __call__(self, file: Path) -> Decoded | Skipped:
        """Decode a file; raises `UnreadableNow` if the reason may pass."""
        try:
            if not stat.S_ISREG(file.stat().st_mode):  # opening a named pipe would wait for ever
                return Skipped("not a file")
            return self._decode(file)
        except UnreadableNow:
            raise
        except Exception as error:  # a damaged file can raise anything: KeyError, zlib.error, ...
            if may_pass(error):
                raise UnreadableNow(describe(error)) from error
            return Skipped(describe(error), unknown=isinstance(error, UnidentifiedImageError))

    def scale(self, values: np.ndarray, low: float, high: float) -> np.ndarray:
        """Values from ``low`` to ``high`` -> (C, S, S) uint8 from 0 to 255; what lies beyond is cut off."""
        unit = (values.astype(np.float32) - low) / (high - low) if high > low else np.zeros_like(values)
        pixels = (unit * 255).round().clip(0, 255).astype(np.uint8)
        return np.repeat(pixels, self.channels, axis=0) if len(pixels) < self.channels else pixels

    def _decode(self, file: Path) -> Decoded | Skipped:
        notes: set[str] = set()
        with Image.open(file) as opened:
            # JPEGs are decoded at the smallest of their scales that is still twice as large as wanted.
            opened.draft(MODES[self.channels], (2 * self.size, 2 * self.size))
            needed = opened.width * opened.height * BYTES_PER_PIXEL
            free = available()
            if needed > 2**26 and free is not None and needed > free:
                raise UnreadableNow(
                    f"it takes {format_bytes(needed)} of memory, and {format_bytes(free)} is free"
                )
            with self.budget.take(needed):
                if opened.format != "MPO" and getattr(opened, "is_animated", False):
                    notes.add("stack")  # MPO: a camera's JPEG with a preview behind it
                if ";16" in str(opened.tile) and opened.mode in ("RGB", "RGBA", "LA"):
                    notes.add("upper byte")
                opened.load()
                image = upright(opened)
                deep = image.mode == "F" or image.mode.startswith("I")
                limits, pixels = self._deep(image) if deep else (None, self._plain(image, notes))
        if pixels is None:
            return Skipped("no value in it is a finite number")
        if deep and self.range is not None:
            pixels = self.scale(pixels, *self.range)
        return Decoded(pixels, _digest(file), limits, frozenset(notes))

    def _deep(self, image: Image.Image) -> tuple[tuple[float, float] | None, np.ndarray | None]:
        """Gray with more than 8 bits a value -> its limits, (1, S, S) float32."""
        image = image.convert("F")
        values = np.asarray(image)
        finite = np.isfinite(values)
        if not finite.any():
            return None, None
        limits = (
            float(values.min(where=finite, initial=np.inf)),
            float(values.max(where=finite, initial=-np.inf)),
        )
        if not finite.all():
            image = Image.fromarray(np.nan_to_num(values, nan=limits[0], posinf=limits[1], neginf=limits[0]))
        fitted = ImageOps.fit(image, (self.size, self.size), Image.Resampling.LANCZOS)
        return limits, np.array(fitted, dtype=np.float32)[None]

    def _plain(self, image: Image.Image, notes: set[str]) -> np.ndarray:
        """8 bits a value -> (C, S, S) uint8."""
        if image.mode in ("PA", "La", "RGBa") or "transparency" in image.info:
            image = image.convert("RGBA")
        elif image.mode not in ("L", "RGB", "LA", "RGBA"):
            image = image.convert("L" if image.mode == "1" else "RGB")
        if image.mode in ("LA", "RGBA"):
            image = self._without_unused_alpha(image, notes)
        fitted = ImageOps.fit(image, (self.size, self.size), Image.Resampling.LANCZOS)
        if fitted.mode in ("LA", "RGBA"):
            fitted = self._on_background(fitted.convert("RGBA"), notes)
        pixels = np.asarray(fitted.convert(MODES[self.channels]))
        pixels = pixels[None] if self.channels == 1 else pixels.transpose(2, 0, 1)
        if self.range is None:
            return pixels
        unit = 256 if "upper byte" in notes else 1
        return self.scale(pixels, self.range[0] / unit, self.range[1] / unit)

    def _without_unused_alpha(self, image: Image.Image, notes: set[str]) -> Image.Image:
        """Drop an alpha that is 255 everywhere, or 0 everywhere over a picture: some programs leave it so."""
        extrema: Any = image.getextrema()
        *colors, (least, most) = extrema
        if most == 0 and any(low < high for low, high in colors):
            notes.add("alpha ignored")
        elif least < 255:
            notes.add("transparent")
            return image
        return image.convert("L" if image.mode == "LA" else "RGB")

    def _on_background(self, image: Image.Image, notes: set[str]) -> Image.Image:
        """Put an image with transparency onto the background, and note it if nothing is to be seen then."""
        plain = Image.new("RGBA", image.size, self.background)
        composite = Image.alpha_composite(plain, image).convert("RGB")
        if _is_flat(composite) and not _is_flat(image.getchannel("A")):
            notes.add("vanished")
        return composite


def upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF says; EXIF that cannot be read says nothing."""
    try:
        orientation = image.getexif().get(ORIENTATION)
    except Exception:  # of any kind, and no reason to lose good pixels
        orientation = None
    return image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image


def may_pass(error: BaseException) -> bool:
    """Whether a file may be readable next time: the system failed, and not the format."""
    if isinstance(error, OSError):
        return error.errno is not None and error.errno not in _ABSENT
    return isinstance(error, MemoryError)


def describe(error: BaseException) -> str:
    """Say in a few words why a file cannot be read."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image that Pillow knows"
    return summarize_exception(error, bare=True)


@contextmanager
def strict_limits() -> Iterator[None]:
    """Refuse images of more pixels than Pillow's limit, where it would warn; be silent on odd metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _is_flat(image: Image.Image) -> bool:
    """Whether all pixels are the same."""
    pixels = np.asarray(image)
    return bool((pixels == pixels[0, 0]).all())


def _digest(file: Path) -> bytes:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(2**20):
            digest.update(block)
    return digest.digest()
