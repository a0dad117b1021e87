"""Row of the benchmark: a folder of many images, from files to batches."""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.training.batches import Batches
from loops import GanLabLoop, Line, build, dcgan
from measure import interleaved

SIZE = 64
COUNT = 200_000
QUICK_COUNT = 2_000
# A file takes a block of 4 KiB, and 64 x 64 x 3 bytes of the cache.
DISK_BYTES = COUNT * (4096 + SIZE * SIZE * 3)


def data(device: torch.device, quick: bool) -> Iterator[Line]:
    """200,000 images of 64 x 64, 2,000 with --quick: building the cache, opening it, training from it."""
    count = QUICK_COUNT if quick else COUNT
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GAN_LAB_CACHE"] = f"{folder}/cache"
        images = Path(folder, "images")
        with ProcessPoolExecutor() as pool:
            list(pool.map(_write, [images] * 100, range(0, count, count // 100), [count // 100] * 100))
        build_seconds, open_seconds = (_seconds_to_load(images) for _ in range(2))
        yield {
            "what": f"{count:,} images",
            "s to build the cache": build_seconds,
            "images/s": count / build_seconds,
            "s to open it again": open_seconds,
        }
        if not quick:
            yield from _from_memory_and_map(device, images)


def _seconds_to_load(images: Path) -> float:
    start = time.perf_counter()
    load_image_folder(str(images), SIZE)
    return time.perf_counter() - start


def _from_memory_and_map(device: torch.device, images: Path) -> Iterator[Line]:
    """Training and batches from the map on the disk against the same data in memory."""
    networks = [word for word in dcgan(SIZE, 64) if not word.startswith("dataset")]
    words = ("dataset=image_folder", f"dataset.path={images}", f"dataset.size={SIZE}", *networks)
    memory, disk = (build(device, *words) for _ in range(2))
    memory.data.data = torch.from_numpy(np.array(memory.data.data.cpu())).to(device)
    disk.data.data = disk.data.data.cpu()  # on CUDA the map stays on the host
    steps = 100 if device.type == "cuda" else 2
    timings = interleaved(
        {"memory": GanLabLoop(memory).run, "map": GanLabLoop(disk).run},
        steps=steps,
        rounds=5,
        device=device,
    )
    yield {
        "what": "training, dcgan 64x64, batch 64",
        "steps/s from memory": steps / timings["memory"].median,
        "steps/s from the map": steps / timings["map"].median,
        "ratio": timings["memory"].median / timings["map"].median,
    }
    steps = 64
    timings = interleaved(
        {"memory": partial(_fetch, memory.batches), "map": partial(_fetch, disk.batches)},
        steps=steps,
        rounds=5,
        device=device,
    )
    yield {
        "what": "batches alone",
        "ms per step from memory": 1e3 * timings["memory"].median / steps,
        "ms per step from the map": 1e3 * timings["map"].median / steps,
    }


def _fetch(batches: Batches, steps: int) -> None:
    for step in range(steps):
        batches(step)


def _write(folder: Path, first: int, count: int) -> None:
    """Discs of any color and place: what they show does not matter, that they are files does."""
    subfolder = folder / f"{first:07d}"
    subfolder.mkdir(parents=True)
    random = np.random.default_rng(first)
    y, x = np.mgrid[:SIZE, :SIZE]
    for number in range(count):
        cx, cy, radius = random.uniform((8, 8, 4), (56, 56, 24))
        inside = ((x - cx) ** 2 + (y - cy) ** 2 < radius**2)[..., None]
        pixels = np.where(inside, random.integers(0, 256, 3), random.integers(0, 256, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(subfolder / f"{number:05d}.jpg")
