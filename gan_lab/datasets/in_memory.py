"""Images that Python code hands over, as a tensor, an array or a data set of torch."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_lab.datasets.base import Images, hash_content
from gan_lab.utils.errors import DataError

_log = logging.getLogger(__name__)
_CHANNELS = (1, 3)
_kept: dict[str, tuple[Tensor, Tensor | None]] = {}  # digest -> images and labels, for this process


def keep(data: Any) -> str:
    """Keep images for training in this process; return 64 hexadecimal digits that name their content.

    data: a tensor or array (N, C, H, W), (N, H, W, C) or (N, H, W), uint8, or float in [0, 1] or [-1, 1]; or
    a data set of torch that has such images one by one, with or without a label. Raises DataError for others.
    """
    labels = None
    if not isinstance(data, (Tensor, np.ndarray)):
        data, labels = _stacked(data)
    images = _to_bytes(_channels_first(torch.as_tensor(data).detach().cpu()))
    if labels is not None and (labels == labels[0]).all():  # no classes to tell apart: as without labels
        labels = None
    digest = hash_content(images, labels)
    _kept[digest] = (images, labels)
    return digest


def load_handed_over(digest: str, name: str = "handed_over") -> Images:
    """Return images that were kept in this process; raises DataError where they were not."""
    if digest not in _kept:
        raise DataError(
            f"dataset={name} was handed over in Python (its digest begins with {digest[:8]}) and is not "
            "stored: hand the same data over again in the process that needs them"
        )
    images, labels = _kept[digest]
    return Images(images, name=name, labels=labels, fingerprint=digest)


def _stacked(dataset: Any) -> tuple[Tensor, Tensor | None]:
    """Read a data set of torch item by item: images, or pairs of an image and a label."""
    is_list = hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    if not is_list or isinstance(dataset, (str, Mapping)) or not len(dataset):
        raise DataError(
            f"dataset must be images or a data set of torch with items, got {type(dataset).__name__}"
        )
    images, labels = [], []
    for index in range(len(dataset)):
        item = dataset[index]
        image, *rest = item if isinstance(item, (tuple, list)) else (item,)
        images.append(image if isinstance(image, Tensor) else torch.as_tensor(np.array(image)))
        labels += [int(label) for label in rest[:1] if np.ndim(label) == 0 and int(label) == label]
    if len({(image.shape, image.dtype) for image in images}) > 1:
        raise DataError("dataset has images of several sizes or dtypes: resize them in its transform")
    return torch.stack(images), torch.tensor(labels) if len(labels) == len(images) else None


def _channels_first(data: Tensor) -> Tensor:
    """Return (N, C, H, W)."""
    if data.ndim == 3:
        return data[:, None]
    if data.ndim == 4 and data.shape[1] in _CHANNELS:
        return data
    if data.ndim == 4 and data.shape[3] in _CHANNELS:
        return data.permute(0, 3, 1, 2)
    raise DataError(
        "dataset must be images (N, C, H, W), (N, H, W, C) or (N, H, W) with 1 or 3 channels, got the shape "
        f"{tuple(data.shape)}"
    )


def _to_bytes(data: Tensor) -> Tensor:
    """Return uint8; floats are checked, and what becomes of them is said."""
    if data.dtype == torch.uint8:
        return data.contiguous()
    if not data.is_floating_point():
        raise DataError(f"dataset must be uint8, or float in [0, 1] or [-1, 1], got {data.dtype}")
    low, high = (data.min().item(), data.max().item()) if data.numel() else (0.0, 0.0)
    if not (low >= -1 and high <= 1):  # NaN, too
        raise DataError(f"float images must lie in [0, 1] or in [-1, 1], got {low:.4g} to {high:.4g}")
    start = 0 if low >= 0 else -1
    _log.warning("float images are taken as in [%d, 1]: %d is black, 1 is white", start, start)
    return ((data - start) * (255 / (1 - start))).round().to(torch.uint8).contiguous()
