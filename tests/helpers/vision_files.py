"""Small files in the formats that torchvision reads."""

import warnings
from pathlib import Path

import numpy as np

from gan_lab.config.build import build
from gan_lab.datasets.base import Images
from tests.helpers.experiments import composed

FAMILY = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST", "kmnist": "KMNIST"}
COUNTS = {"train": 30, "t10k": 20}


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def write_idx(path: Path, array: np.ndarray) -> None:
    """LeCun's format: two zero bytes, the type (8: bytes), the rank, sizes in big endian, the bytes."""
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def make_mnist(root: Path, name: str = "MNIST") -> None:
    for part, count in COUNTS.items():
        labels = (np.arange(count) % 10).astype(np.uint8)
        pictures = noise(count, 28, 28, seed=count)
        pictures[:, 0, 0] = labels  # so that an image tells its label
        write_idx(root / name / "raw" / f"{part}-images-idx3-ubyte", pictures)
        write_idx(root / name / "raw" / f"{part}-labels-idx1-ubyte", labels)


def entry(name: str, root: Path, *overrides: str) -> Images:
    """The data set as the command line would build it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = build(composed(f"dataset={name}", f"dataset.root={root}", *overrides), "dataset")
    assert isinstance(made, Images)
    return made
