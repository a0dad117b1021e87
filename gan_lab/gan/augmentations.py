"""Discriminator augmentations. Randomness is passed in as draws from U(0, 1), one row per sample."""

from typing import Protocol

import torch
from torch import Tensor

from gan_lab.utils.errors import ConfigurationError


class Augmentation(Protocol):
    """``real`` and ``fake`` map samples (B, *shape) and draws (B, num_rand) from U(0, 1) to (B, *shape)."""

    @property
    def num_rand(self) -> int:
        """How many draws per sample it is given."""

    def real(self, samples: Tensor, rand: Tensor) -> Tensor: ...
    def fake(self, samples: Tensor, rand: Tensor) -> Tensor: ...


class NoAugmentation:
    """Leave all samples as they are."""

    num_rand = 0

    def real(self, samples: Tensor, rand: Tensor) -> Tensor:
        return samples

    def fake(self, samples: Tensor, rand: Tensor) -> Tensor:
        return samples


class Flip:
    """Mirror real images with probability 1/2, as if the data set held both."""

    num_rand = 1

    def real(self, samples: Tensor, rand: Tensor) -> Tensor:
        _check_images("flip", samples)
        mirrored = rand[:, 0, None, None, None] < 0.5
        return torch.where(mirrored, samples.flip(3), samples)

    def fake(self, samples: Tensor, rand: Tensor) -> Tensor:
        return samples


class DiffAugment:
    """T in D(T(x)) and D(T(G(z))) (Zhao et al. 2020, arXiv:2006.10738), differentiable in the images.

    color: brightness + U(-1/2, 1/2), saturation (x - mean over channels) * U(0, 2) + mean, contrast
    (x - mean over the image) * U(1/2, 3/2) + mean; translation: by up to 1/8 of the size, zeros move in;
    cutout: a square of half the size becomes 0. Gray images have no saturation.
    """

    num_rand = 7

    def __init__(self, color: bool = True, translation: bool = True, cutout: bool = True) -> None:
        self.color, self.translation, self.cutout = color, translation, cutout

    def real(self, samples: Tensor, rand: Tensor) -> Tensor:
        _check_images("diffaugment", samples)
        brightness, saturation, contrast, *offsets = rand[:, :, None, None, None].unbind(1)
        x = samples
        if self.color:
            x = x + (brightness - 0.5)
            mean = x.mean(1, keepdim=True)
            x = (x - mean) * (2 * saturation) + mean
            mean = x.mean((1, 2, 3), keepdim=True)
            x = (x - mean) * (contrast + 0.5) + mean
        if self.translation:
            x = _shift(x, offsets[0], offsets[1])
        if self.cutout:
            x = x * ~_square(x, offsets[2], offsets[3])
        return x

    fake = real


def _shift(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move images by whole pixels, by up to 1/8 of the size; ``down`` and ``right``: draws (B, 1, 1, 1)."""
    for dim, rand in ((2, down), (3, right)):
        size = x.shape[dim]
        largest = int(size / 8 + 0.5)
        offset = (rand * (2 * largest + 1)).floor().long() - largest
        view = [1, 1, 1, 1]
        view[dim] = size
        source = torch.arange(size, device=x.device).view(view) - offset
        inside = (source >= 0) & (source < size)
        x = x.gather(dim, source.clamp(0, size - 1).expand(x.shape)) * inside
    return x


def _square(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """(B, 1, H, W) bool: mark a square of half the size, its center anywhere in the image."""
    masks = []
    for dim, rand in ((2, down), (3, right)):
        size = x.shape[dim]
        side = int(size * 0.5 + 0.5)
        # The published code's range of centers: one more than the size where the side is even.
        center = (rand * (size + (1 - side % 2))).floor().long()
        first = center - side // 2
        view = [1, 1, 1, 1]
        view[dim] = size
        position = torch.arange(size, device=x.device).view(view)
        masks.append((position >= first) & (position < first + side))
    return masks[0] & masks[1]


def _check_images(name: str, samples: Tensor) -> None:
    if samples.dim() != 4:
        shape = tuple(samples.shape[1:])
        raise ConfigurationError(f"augmentation={name} works on images, not on points of shape {shape}")
