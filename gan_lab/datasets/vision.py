"""torchvision's data sets as tensors, downloaded on first use."""

import contextlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from gan_lab.datasets.base import Images
from gan_lab.datasets.image_folder import cached_images
from gan_lab.errors import ConfigurationError, DataError
from gan_lab.paths import cache_dir
from gan_lab.seeding import stream


def torchvision_images(
    dataset: Callable[..., Any],
    name: str,
    size: int | None = None,
    split: str = "train",
    root: str | None = None,
) -> Images:
    """A torchvision class that keeps ``data`` and ``targets`` (or ``labels``) in memory, such as MNIST.

    ``dataset`` is called as ``dataset(root=..., download=True, <train or split>=...)``; ``size`` None keeps
    the images' own.
    """
    _check_split(split)
    which = {"split": split} if _takes(dataset, "split") else {"train": split == "train"}
    found = _downloaded(dataset, name, _root(root), **which)
    data = torch.as_tensor(np.asarray(found.data))
    if data.dim() == 3:
        data = data[:, None]
    elif data.shape[-1] == 3 and data.shape[1] != 3:
        data = data.permute(0, 3, 1, 2)
    labels = torch.as_tensor(np.asarray(getattr(found, "targets", getattr(found, "labels", None)))).long()
    return Images(_resized(data, size), name=name, labels=labels)


def stacked_mnist(
    name: str = "stacked_mnist",
    size: int | None = None,
    split: str = "train",
    root: str | None = None,
    triples: int = 128_000,
    data_seed: int = 0,
) -> "StackedDigits":
    """Three random MNIST digits as red, green and blue: 1,000 modes (Metz et al. 2017; Lin et al. 2018)."""
    from torchvision.datasets import MNIST

    if not isinstance(triples, int) or triples < 1:
        raise ConfigurationError(f"dataset.triples must be a whole number of at least 1, got {triples!r}")
    digits = torchvision_images(MNIST, "mnist", size, split, root)
    assert digits.labels is not None
    chosen = torch.randint(len(digits), (triples, 3), generator=stream(data_seed, "stacked_mnist"))
    return StackedDigits(digits.data[:, 0], chosen, digits.labels, name=name)


class StackedDigits(Images):
    """``data``: (M, H, W) digits, of which image i shows those in row i of ``triples`` (N, 3)."""

    def __init__(self, data: Tensor, triples: Tensor, digits: Tensor, *, name: str) -> None:
        labels = digits[triples] @ torch.tensor([100, 10, 1])
        super().__init__(data, name=name, labels=labels)
        self.triples = triples

    @property
    def shape(self) -> tuple[int, ...]:
        return (3, *self.data.shape[1:])

    def __len__(self) -> int:
        return len(self.triples)

    def _move(self, device: torch.device) -> None:
        super()._move(device)
        self.triples = self.triples.to(device)

    def _gather(self, indices: Tensor) -> Tensor:
        return self.data[self.triples[indices]]


def celeba(name: str = "celeba", size: int = 64, split: str = "train", root: str | None = None) -> Images:
    """Aligned and cropped CelebA faces (Liu et al. 2015), through the same cache as a folder of images."""
    from torchvision.datasets import CelebA

    _check_split(split)
    found = _downloaded(CelebA, name, _root(root), split=split)
    folder = Path(found.root) / found.base_folder / "img_align_celeba"
    files = [folder / file for file in found.filename]
    return Images(cached_images(folder, files, size=size, channels=3), name=name)


def _downloaded(dataset: Callable[..., Any], name: str, root: Path, **which: Any) -> Any:
    """The torchvision data set; its progress goes to the terminal, its failures become one sentence."""
    try:
        try:
            # What is there already needs no network, and no folder that can be written.
            with contextlib.redirect_stdout(io.StringIO()):
                return dataset(root=str(root), download=False, **which)
        except RuntimeError:
            return dataset(root=str(root), download=True, **which)
    except (RuntimeError, URLError, OSError, ImportError, EOFError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"dataset={name} is not in {root} and could not be downloaded ({reason[:200]}): "
            "put its files there as torchvision lays them out, or set dataset.root to where they are"
        ) from error


def _takes(dataset: Callable[..., Any], argument: str) -> bool:
    import inspect

    return argument in inspect.signature(dataset).parameters


def _root(given: str | None) -> Path:
    return Path(given).expanduser() if given else cache_dir() / "data"


def _check_split(split: str) -> None:
    if split not in ("train", "test"):
        raise ConfigurationError(f"dataset.split must be one of train, test, got {split!r}")


def _resized(data: Tensor, size: int | None) -> Tensor:
    if size is None or tuple(data.shape[2:]) == (size, size):
        return data.contiguous()
    if not isinstance(size, int) or not 4 <= size <= 1024:
        raise ConfigurationError(f"dataset.size must be null or a whole number from 4 to 1024, got {size!r}")
    parts = [resize(part, [size, size], antialias=True) for part in torch.split(data, 4096)]
    return torch.cat(parts)
