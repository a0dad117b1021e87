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
from measure import interleaved
from players import Line, Ours, experiment, image_size

SIZE = 64


def data(device: torch.device, quick: bool) -> Iterator[Line]:
    """200,000 images of 64 x 64, 2,000 with --quick: building the cache, opening it, training from it."""
    count = 2_000 if quick else 200_000
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GAN_LAB_CACHE"] = f"{folder}/cache"
        images = Path(folder, "images")
        with ProcessPoolExecutor() as pool:
            list(pool.map(_write, [images] * 100, range(0, count, count // 100), [count // 100] * 100))
        words = ("dataset=image_folder", f"dataset.path={images}", f"dataset.size={SIZE}")
        networks = [word for word in image_size(SIZE, 64) if not word.startswith("dataset")]
        begun = time.perf_counter()
        load_image_folder(str(images), SIZE)
        built = time.perf_counter() - begun
        begun = time.perf_counter()
        load_image_folder(str(images), SIZE)
        opened = time.perf_counter() - begun
        yield {
            "what": f"{count:,} images",
            "s to build the cache": built,
            "images/s": count / built,
            "s to open it again": opened,
        }
        if quick:
            return
        made, mapped = (experiment(device, *words, *networks) for _ in range(2))
        # From the map on the disk against the same data in memory; on CUDA the map stays on the host.
        made.data.data = torch.from_numpy(np.array(made.data.data.cpu())).to(device)
        mapped.data.data = mapped.data.data.cpu()
        steps = 100 if device.type == "cuda" else 2
        found = interleaved(
            {"memory": Ours(made).run, "map": Ours(mapped).run},
            steps=steps,
            rounds=5,
            device=device,
        )
        yield {
            "what": "training, dcgan 64x64, batch 64",
            "steps/s from memory": steps / found["memory"].median,
            "steps/s from the map": steps / found["map"].median,
            "ratio": found["memory"].median / found["map"].median,
        }
        steps = 64
        sources = {"memory": made.batches, "map": mapped.batches}
        found = interleaved(
            {name: partial(_draw, batches) for name, batches in sources.items()},
            steps=steps,
            rounds=5,
            device=device,
        )
        yield {
            "what": "batches alone",
            "ms a step from memory": 1e3 * found["memory"].median / steps,
            "ms a step from the map": 1e3 * found["map"].median / steps,
        }


def _draw(batches: Batches, steps: int) -> None:
    for step in range(steps):
        batches(step)


def _write(folder: Path, first: int, count: int) -> None:
    """Discs of any color and place: what they show does not matter, that they are files does."""
    place = folder / f"{first:07d}"
    place.mkdir(parents=True)
    random = np.random.default_rng(first)
    y, x = np.mgrid[:SIZE, :SIZE]
    for number in range(count):
        cx, cy, radius = random.uniform((8, 8, 4), (56, 56, 24))
        inside = ((x - cx) ** 2 + (y - cy) ** 2 < radius**2)[..., None]
        pixels = np.where(inside, random.integers(0, 256, 3), random.integers(0, 256, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number:05d}.jpg")
