"""Handwritten digits that come with the package: real data that is already there."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_lab.datasets.base import Images, check_size, hash_content
from gan_lab.utils.checks import check_choice
from gan_lab.utils.memory import require_memory
from gan_lab.utils.seeding import stream

# The test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak 1998, UCI Machine
# Learning Repository, doi 10.24432/C50P49, CC BY 4.0): the same 1,797 images as scikit-learn's load_digits,
# which takes most of a second to import.
FILE = Path(__file__).with_name("digits.npz")
TRAINING = 1200
OTHER = {"train": "test", "test": "train"}


def load_digits(size: int = 16, split: str = "train", name: str = "digits") -> Images:
    """1,797 gray images of 8x8 pixels in 17 shades, resized bilinearly.

    ``split``: train (1,200) and test (597) of one fixed shuffling, or all.
    """
    check_size(size)
    with np.load(FILE) as file:
        images, labels = file["images"], torch.from_numpy(file["labels"]).long()
    shades = torch.from_numpy(images).float()[:, None] * (255 / 16)
    order = torch.randperm(len(shades), generator=stream(0, "digits split"))
    splits: dict[str, Tensor] = {
        "all": torch.arange(len(shades)),
        "train": order[:TRAINING],
        "test": order[TRAINING:],
    }
    rows = splits[check_choice("dataset.split", split, tuple(splits))]
    require_memory(2 * len(rows) * size**2, f"dataset.size={size}")
    parts = [
        interpolate(part, size=(size, size), mode="bilinear", antialias=True).round().to(torch.uint8)
        for part in torch.split(shades[rows], 256)
    ]
    return Images(
        torch.cat(parts),
        name=name,
        labels=labels[rows],
        held_out=partial(load_digits, size, other, name) if (other := OTHER.get(split)) else None,
        classifier="digits",
        fingerprint=hash_content("digits", images[rows.numpy()], size),
    )
