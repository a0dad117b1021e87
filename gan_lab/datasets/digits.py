"""scikit-learn's handwritten digits: real data that is already there."""

from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from gan_lab.datasets.base import Images, check_size, hash_content
from gan_lab.utils.checks import check_choice
from gan_lab.utils.memory import require_memory
from gan_lab.utils.seeding import stream

TRAINING = 1200
OTHER = {"train": "test", "test": "train"}


def load_digits(size: int = 16, split: str = "train", name: str = "digits") -> Images:
    """1,797 gray images of 8x8 pixels in 17 shades (Alpaydin and Kaynak 1998), resized bilinearly.

    ``split``: train (1,200) and test (597) of one fixed shuffling, or all.
    """
    from sklearn.datasets import load_digits as sklearn_digits

    check_size(size)
    bunch = sklearn_digits()
    shades = torch.from_numpy(bunch.images).float()[:, None] * (255 / 16)
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
        labels=torch.from_numpy(bunch.target)[rows],
        held_out=partial(load_digits, size, other, name) if (other := OTHER.get(split)) else None,
        classifier="digits",
        fingerprint=hash_content("digits", bunch.images[rows.numpy()].astype("uint8"), size),
    )
