"""The user's own images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_lab.datasets.base import Images, check_size
from gan_lab.datasets.decode import MODES, Decoder, describe
from gan_lab.datasets.files import absolute, list_images, stamp_files
from gan_lab.datasets.image_cache import cached_images
from gan_lab.utils.checks import check_choice, check_number, refusal
from gan_lab.utils.errors import ConfigurationError, DataError

BACKGROUNDS = ("white", "black", "gray")


def load_image_folder(
    path: str | None,
    size: int = 64,
    channels: int = 3,
    name: str = "image_folder",
    range: Sequence[float] | None = None,
    background: str | None = None,
) -> Images:
    """Load every image below ``path`` that Pillow can read: the short side resized to ``size``, then cropped.

    Gray, palette and CMYK images become 1 or 3 ``channels`` of 8 bits, turned as their EXIF says; what is
    transparent shows ``background``, null is white. Of a file with several pages the first is taken.
    ``range`` names the values that become black and white; null is 0 and 255 for files of 8 bits a value,
    and the smallest and the largest value of all files together for those of more.
    """
    if path is None or path == "":
        raise ConfigurationError("dataset.path must name a folder of images, got nothing")
    check_size(size)
    if type(channels) is not int or channels not in MODES:
        raise refusal("dataset.channels", channels, "1 or 3")
    if background is not None:
        check_choice("dataset.background", background, BACKGROUNDS)
    decoder = Decoder(size, channels, _check_range(range), background or "white")
    folder = _check_folder(path)
    listing = list_images(folder)
    if not listing.images:
        kinds = ", ".join(sorted(suffix for suffix in listing.others if suffix))
        raise DataError(f"dataset.path={path} holds no images" + (f", only {kinds}" if kinds else ""))
    stamp = stamp_files(folder, listing.images)
    cache = cached_images(folder, listing, decoder)
    return Images(cache.images, name=name, fingerprint=cache.fingerprint, stamp=stamp)


def _check_folder(path: Any) -> Path:
    folder = absolute(str(path))
    try:
        folder.stat()
    except FileNotFoundError:
        raise DataError(f"dataset.path={path} does not exist") from None
    except (OSError, ValueError) as error:
        raise DataError(f"dataset.path={path} cannot be read: {describe(error)}") from error
    if not folder.is_dir():
        raise DataError(f"dataset.path={path} is a file, and must be a folder of images")
    return folder


def _check_range(values: Sequence[float] | None) -> tuple[float, float] | None:
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, Sequence) or len(values) != 2:
        raise refusal("dataset.range", values, "two numbers, such as [0,4095]")
    low = check_number("dataset.range[0]", values[0])
    return low, check_number("dataset.range[1]", values[1], above=low)
