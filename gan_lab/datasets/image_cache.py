"""A memory-mapped cache of decoded images outside of their folder, built again when a file changes."""

import hashlib
import json
import logging
import os
import shutil
import sys
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from filelock import FileLock
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from gan_lab.datasets.base import hash_content
from gan_lab.datasets.caches import FACTS, IMAGES, SKIPPED, caches_folder, lock_path
from gan_lab.datasets.decode import (
    Decoded,
    Decoder,
    Skipped,
    UnreadableNow,
    describe,
    strict_limits,
)
from gan_lab.datasets.files import FolderListing, absolute, stamp_files
from gan_lab.utils.cores import available_cores
from gan_lab.utils.errors import DataError
from gan_lab.utils.progress import progress_bar
from gan_lab.utils.text import plural, truncate

_log = logging.getLogger(__name__)

DECODING = 2  # counts changes of the decoder that give other pixels for the same files
QUEUED = 2**26  # bytes of decoded images that may wait until they are written
LITTLE = 64  # shades, of 256, that nearly all values lie within: too few for what people expect to see
TAIL = 0.001  # share of values, at either end, that may lie anywhere

_LONGEST = 1000  # characters of a line that may name a dozen files


@dataclass(frozen=True)
class CachedImages:
    """images: (N, channels, size, size) uint8, mapped read-only; fingerprint: of the files' content."""

    images: Tensor
    fingerprint: str


@dataclass
class _Report:
    """Counts of the files that were taken and left out while a cache was built."""

    skipped: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    digests: list[bytes] = field(default_factory=list)
    shades: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=np.int64))
    limits: tuple[float, float] | None = None
    deep: int = 0

    def count(self, pixels: np.ndarray) -> None:
        """Count the shades of a finished image, and whether it shows anything."""
        self.shades += np.bincount(pixels.reshape(-1), minlength=256)
        self.notes["flat"] += bool((pixels == pixels[:, :1, :1]).all())


def cached_images(source: Path, listing: FolderListing, decoder: Decoder, part: str = "") -> CachedImages:
    """Decode the images of a folder, or map the cache of an earlier time.

    Opening a cache looks at names, sizes and times of the files, and decodes nothing. ``part`` tells lists of
    files apart that come from one folder. A file that cannot be read for now raises `DataError` and leaves no
    cache; one that holds no image is skipped, and listed in ``skipped.txt`` beside the cache.
    """
    recipe = [os.fsdecode(source), decoder.size, decoder.channels, decoder.range, decoder.background, part]
    recipe_hash = hashlib.sha256(json.dumps([*recipe, DECODING]).encode()).hexdigest()
    parent = caches_folder() / recipe_hash[:16]
    folder = parent / stamp_files(source, listing.images)[:16]
    try:
        if not (folder / IMAGES).exists():
            parent.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock_path(parent)):  # the jobs of a sweep start together; one of them decodes
                if not (folder / IMAGES).exists():
                    shutil.rmtree(parent, ignore_errors=True)  # a stale cache, or an interrupted build
                    _build(folder, source, listing, decoder)
        facts = json.loads((folder / FACTS).read_text("utf-8"))
        mapped = np.load(folder / IMAGES, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise DataError(
            f"the cache of decoded images in {parent.parent} cannot be used: {describe(error)} "
            "(GAN_LAB_CACHE=<folder> puts it elsewhere)"
        ) from error
    _log.info("%s", truncate(f"{source}: {facts['summary']}", _LONGEST))
    for warning in facts["warnings"]:
        warning = warning.replace(SKIPPED, str(folder / SKIPPED))
        _log.warning("%s", truncate(f"{source}: {warning}", _LONGEST))
    with warnings.catch_warnings():
        # It is never written to: batches are gathered out of it.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return CachedImages(torch.from_numpy(mapped), facts["fingerprint"])


def _build(folder: Path, source: Path, listing: FolderListing, decoder: Decoder) -> None:
    """Decode into a folder of another name and rename it when it is complete."""
    temporary = folder.with_name(f"{folder.name}.tmp")
    temporary.mkdir(parents=True)
    report = _Report(others=listing.others.copy())
    try:
        # Written one after another, not into a map of the whole: a full disk is then an error and no crash.
        with (temporary / IMAGES).open("w+b") as images, (temporary / "deep").open("w+b") as deep:
            _write_images(images, deep, source, listing.images, decoder, report)
        (temporary / "deep").unlink()
        lines = "".join(f"{line}\n" for line in report.skipped)
        (temporary / SKIPPED).write_text(lines, "utf-8", "backslashreplace")
        facts = {"source": os.fsdecode(absolute(os.fsdecode(source))), **_facts(report, decoder)}
        (temporary / FACTS).write_text(json.dumps(facts, indent=2), "utf-8")
        temporary.rename(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    tqdm.write(f"gan-lab: {source}: {facts['summary']}", file=sys.stderr)


def _write_images(
    images: BinaryIO, deep: BinaryIO, source: Path, files: Sequence[Path], decoder: Decoder, report: _Report
) -> None:
    """Write all images as they come; those whose range is known at the end only go through ``deep``."""
    shape = (decoder.channels, decoder.size, decoder.size)
    start = _write_header(images, (len(files), *shape))
    waiting: list[int] = []
    progress = progress_bar("decoding", _decoded(files, decoder), total=len(files), unit="file")
    for file, result in zip(files, progress, strict=True):
        name = file.relative_to(source)
        if isinstance(result, UnreadableNow):
            raise DataError(f"dataset.path={source}: {name} cannot be read now: {result}") from result
        if isinstance(result, Skipped):
            if result.unknown and file.suffix.lower() not in Image.registered_extensions():
                report.others[file.suffix.lower()] += 1
            else:
                report.skipped.append(" ".join(f"{name}: {result.reason}".split()))
            continue
        report.notes.update(result.notes)
        if result.limits is not None:
            low, high = report.limits or result.limits
            report.limits = min(low, result.limits[0]), max(high, result.limits[1])
            report.deep += 1
        pixels = result.pixels
        if pixels.dtype == np.float32:
            waiting.append(len(report.digests))
            deep.write(pixels.tobytes())
            pixels = np.zeros(shape, dtype=np.uint8)
        else:
            report.count(pixels)
        images.write(pixels.tobytes())
        report.digests.append(result.digest)
    if not report.digests:
        reason = report.skipped[0] if report.skipped else _kinds(report.others)
        raise DataError(
            f"dataset.path={source}: none of its {len(files)} files is an image that can be read: {reason}"
        )
    deep.seek(0)
    for index in waiting:
        assert report.limits is not None
        values = np.frombuffer(deep.read(4 * decoder.size**2), dtype=np.float32)
        pixels = decoder.scale(values.reshape(1, decoder.size, decoder.size), *report.limits)
        report.count(pixels)
        images.seek(start + index * pixels.size)
        images.write(pixels.tobytes())
    images.seek(0)
    assert _write_header(images, (len(report.digests), *shape)) == start


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> int:
    """Its length is the same for every N: numpy leaves room for 21 digits there."""
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()


def _decoded(files: Sequence[Path], decoder: Decoder) -> Iterator[Decoded | Skipped | UnreadableNow]:
    """Decode files in their order; Pillow works outside Python's lock, so threads use all cores."""
    threads = available_cores()
    ahead = max(2 * threads, min(256, QUEUED // (4 * decoder.channels * decoder.size**2)))
    queue: deque[Future[Decoded | Skipped | UnreadableNow]] = deque()

    def decode(file: Path) -> Decoded | Skipped | UnreadableNow:
        try:
            return decoder(file)
        except UnreadableNow as error:
            return error

    with ThreadPoolExecutor(threads) as pool, strict_limits():
        try:
            for file in files:
                queue.append(pool.submit(decode, file))
                if len(queue) > ahead:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _facts(report: _Report, decoder: Decoder) -> dict[str, Any]:
    """What `cached_images` says of a cache whenever it is opened."""
    size, channels, background = decoder.size, decoder.channels, decoder.background
    files = b"".join(report.digests).hex()
    return {
        "fingerprint": hash_content("images", size, channels, background, *(decoder.range or ()), files),
        "summary": _summary(report, decoder),
        "warnings": _warnings(report, decoder),
    }


def _summary(report: _Report, decoder: Decoder) -> str:
    """Say in one line what was taken, how, and what was not."""
    notes, taken = report.notes, len(report.digests)
    parts = [f"{plural(taken, 'image')}, {_values(report, decoder)}"]
    if report.others:
        parts.append(f"{plural(report.others.total(), 'file')} of other kinds ({_kinds(report.others)})")
    for note, thing, words in (
        ("stack", "stack", "of which the first page"),
        ("transparent", "image", f"with transparency, on {decoder.background}"),
        ("upper byte", "image", "with 16 bits a color, of which the upper 8 are read"),
        ("alpha ignored", "image", "with an alpha of 0 everywhere, taken as opaque"),
        ("flat", "image", "of one flat color"),
    ):
        if notes[note]:
            parts.append(f"{plural(notes[note], thing)} {words}")
    if report.skipped:
        parts.append(f"{plural(len(report.skipped), 'file')} skipped")
    return "; ".join(parts)


def _values(report: _Report, decoder: Decoder) -> str:
    """Say which values become black and white."""
    if decoder.range is not None:
        return "values {:,g} to {:,g}".format(*decoder.range)
    plain = len(report.digests) - report.deep
    words = ["values 0 to 255"] if plain else []
    if report.limits is not None:
        low, high = report.limits
        words.append(
            f"{'' if plain else 'values '}{low:,g} to {high:,g}, the smallest and largest in "
            f"{plural(report.deep, 'file')} of more than 8 bits (dataset.range sets others)"
        )
    return " and ".join(words)


def _warnings(report: _Report, decoder: Decoder) -> list[str]:
    sentences = []
    if report.skipped:
        shown = "; ".join(report.skipped[:3])
        more = f" and {len(report.skipped) - 3} more" if len(report.skipped) > 3 else ""
        files = len(report.digests) + len(report.skipped)
        sentences.append(f"skipped {len(report.skipped)} of {files} image files: {shown}{more} ({SKIPPED})")
    if report.notes["vanished"]:
        other = "black" if decoder.background == "white" else "white"
        sentences.append(
            f"{plural(report.notes['vanished'], 'image')} with transparency became one flat color on "
            f"{decoder.background}: dataset.background={other} may show them"
        )
    share = report.shades.cumsum() / report.shades.sum()
    low, high = (int((share > tail).argmax()) for tail in (TAIL, 1 - TAIL))
    if high - low < LITTLE and report.notes["flat"] < len(report.digests):
        sentences.append(
            f"the images use little of the values from 0 to 255, nearly all are from {low} to {high}: "
            "dataset.range=[low,high] says which values in the files become black and white"
        )
    return sentences


def _kinds(others: Counter[str]) -> str:
    """ ".heic 31, .txt 6": the most frequent suffixes."""
    shown = [f"{suffix or 'no suffix'} {number}" for suffix, number in others.most_common(3)]
    return ", ".join(shown) + (", ..." if len(others) > 3 else "")
