"""torchvision's data sets as tensors, downloaded on first use."""

import inspect
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from gan_lab.datasets.base import Dataset, Images, check_size, hash_content
from gan_lab.datasets.decode import Decoder
from gan_lab.datasets.downloads import downloaded
from gan_lab.datasets.files import FolderListing
from gan_lab.datasets.image_cache import cached_images
from gan_lab.utils.checks import check_choice, check_int
from gan_lab.utils.memory import require_memory
from gan_lab.utils.paths import data_dir
from gan_lab.utils.seeding import stream

OTHER = {"train": "test", "test": "train"}


def load_torchvision(
    dataset: Callable[..., Any],
    name: str,
    size: int | None = None,
    split: str = "train",
    root: str | None = None,
) -> Images:
    """A torchvision class that keeps ``data`` and ``targets`` (or ``labels``) in memory, such as MNIST.

    ``dataset`` is called as ``dataset(root=..., download=True, <train or split>=...)``; ``size`` None keeps
    the images' own, ``root`` None is ``$GAN_LAB_DATA``, or ``data`` in gan-lab's cache folder.
    """
    _check(size, split)
    which = (
        {"split": split} if "split" in inspect.signature(dataset).parameters else {"train": split == "train"}
    )
    source = downloaded(dataset, name, _root(root), **which)
    data = torch.as_tensor(np.asarray(source.data))
    if data.dim() == 3:
        data = data[:, None]
    elif data.shape[-1] == 3 and data.shape[1] != 3:
        data = data.permute(0, 3, 1, 2)
    labels = getattr(source, "targets", getattr(source, "labels", None))
    return Images(
        _resized(data, size),
        name=name,
        labels=None if labels is None else torch.as_tensor(np.asarray(labels)).long(),
        held_out=partial(load_torchvision, dataset, name, size, OTHER[split], root),
        fingerprint=hash_content("torchvision", data, size or data.shape[-1]),
    )


def load_stacked_mnist(
    name: str = "stacked_mnist",
    size: int | None = None,
    split: str = "train",
    root: str | None = None,
    triples: int = 128_000,
    data_seed: int = 0,
) -> "StackedDigits":
    """Three random MNIST digits as red, green and blue: 1,000 modes (Metz et al. 2017; Lin et al. 2018)."""
    from torchvision.datasets import MNIST

    check_int("dataset.triples", triples)
    require_memory(64 * triples, f"dataset.triples={triples}")
    digits = load_torchvision(MNIST, name, size, split, root)
    chosen = torch.randint(len(digits), (triples, 3), generator=stream(data_seed, "stacked_mnist"))
    return StackedDigits(
        digits,
        chosen,
        name=name,
        fingerprint=hash_content("stacked", digits.fingerprint, triples, data_seed),
        held_out=partial(load_stacked_mnist, name, size, OTHER[split], root, triples, data_seed),
    )


class StackedDigits(Images):
    """``data``: (M, H, W) digits, of which image i shows those in row i of ``triples`` (N, 3).

    Label of an image with digits a, b and c as red, green and blue: 100 a + 10 b + c.
    """

    def __init__(
        self,
        digits: Images,
        triples: Tensor,
        *,
        name: str,
        held_out: Callable[[], Dataset] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        assert digits.labels is not None
        labels = digits.labels[triples] @ torch.tensor([100, 10, 1])
        fingerprint = fingerprint or hash_content("stacked", digits.fingerprint, triples)
        super().__init__(
            digits.data[:, 0], name=name, labels=labels, held_out=held_out, fingerprint=fingerprint
        )
        self.triples = triples
        self.channels = digits

    @property
    def shape(self) -> tuple[int, ...]:
        return (3, *self.data.shape[1:])

    def __len__(self) -> int:
        return len(self.triples)

    def _move(self, device: torch.device) -> None:
        super()._move(device)
        self.triples = self.triples.to(device)

    def _fetch(self, indices: Tensor) -> Tensor:
        return self.data[self.triples[indices]]


def load_celeba(
    name: str = "celeba", size: int = 64, split: str = "train", root: str | None = None
) -> Images:
    """Aligned and cropped CelebA faces (Liu et al. 2015), through the same cache as a folder of images."""
    from torchvision.datasets import CelebA

    check_size(size)
    _check(size, split)
    celeba = downloaded(CelebA, name, _root(root), split=split)
    folder = Path(celeba.root).absolute() / celeba.base_folder / "img_align_celeba"
    files = [folder / file for file in celeba.filename]
    held_out = partial(load_celeba, name, size, OTHER[split], root)
    cache = cached_images(folder, FolderListing(files, Counter()), Decoder(size, channels=3), part=split)
    return Images(cache.images, name=name, held_out=held_out, fingerprint=cache.fingerprint)


def _root(given: str | None) -> Path:
    return Path(given).expanduser() if given else data_dir()


def _check(size: object, split: object) -> None:
    if size is not None:
        check_size(size)
    check_choice("dataset.split", split, ("train", "test"))


def _resized(data: Tensor, size: int | None) -> Tensor:
    if size is None or tuple(data.shape[2:]) == (size, size):
        return data.contiguous()
    require_memory(2 * len(data) * data.shape[1] * size**2, f"dataset.size={size}")
    parts = [resize(part, [size, size], antialias=True) for part in torch.split(data, 4096)]
    return torch.cat(parts)
