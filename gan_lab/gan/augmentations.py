"""What the discriminator's inputs go through. All chance comes in as uniform numbers, a row a sample."""

from typing import Protocol

import torch
from torch import Tensor

from gan_lab.utils.errors import ConfigurationError


class Augmentation(Protocol):
    """real and fake: (B, *shape), uniforms (B, self.uniforms) in [0, 1) -> (B, *shape)."""

    @property
    def uniforms(self) -> int: ...
    def real(self, samples: Tensor, uniforms: Tensor) -> Tensor: ...
    def fake(self, samples: Tensor, uniforms: Tensor) -> Tensor: ...


class NoAugmentation:
    uniforms = 0

    def real(self, samples: Tensor, uniforms: Tensor) -> Tensor:
        return samples

    def fake(self, samples: Tensor, uniforms: Tensor) -> Tensor:
        return samples


class Flip:
    """Real images are mirrored with probability 1/2, as if the data set held both."""

    uniforms = 1

    def real(self, samples: Tensor, uniforms: Tensor) -> Tensor:
        _only_images("flip", samples)
        mirrored = uniforms[:, 0, None, None, None] < 0.5
        return torch.where(mirrored, samples.flip(3), samples)

    def fake(self, samples: Tensor, uniforms: Tensor) -> Tensor:
        return samples


class DiffAugment:
    """T in D(T(x)) and D(T(G(z))) (Zhao et al. 2020, arXiv:2006.10738), differentiable in the images.

    color: brightness + U(-1/2, 1/2), saturation (x - mean over channels) * U(0, 2) + mean, contrast
    (x - mean over the image) * U(1/2, 3/2) + mean; translation: by up to 1/8 of the size, zeros move in;
    cutout: a square of half the size becomes 0. Gray images have no saturation.
    """

    uniforms = 7

    def __init__(self, color: bool = True, translation: bool = True, cutout: bool = True) -> None:
        self.color, self.translation, self.cutout = color, translation, cutout

    def real(self, samples: Tensor, uniforms: Tensor) -> Tensor:
        _only_images("diffaugment", samples)
        brightness, saturation, contrast, *places = uniforms[:, :, None, None, None].unbind(1)
        x = samples
        if self.color:
            x = x + (brightness - 0.5)
            mean = x.mean(1, keepdim=True)
            x = (x - mean) * (2 * saturation) + mean
            mean = x.mean((1, 2, 3), keepdim=True)
            x = (x - mean) * (contrast + 0.5) + mean
        if self.translation:
            x = _shift(x, places[0], places[1])
        if self.cutout:
            x = x * ~_square(x, places[2], places[3])
        return x

    fake = real


def _shift(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Move by whole pixels, -1/8 to 1/8 of the size in each direction."""
    for dim, uniform in ((2, down), (3, right)):
        size = x.shape[dim]
        reach = int(size / 8 + 0.5)
        by = (uniform * (2 * reach + 1)).floor().long() - reach
        view = [1, 1, 1, 1]
        view[dim] = size
        source = torch.arange(size, device=x.device).view(view) - by
        inside = (source >= 0) & (source < size)
        x = x.gather(dim, source.clamp(0, size - 1).expand(x.shape)) * inside
    return x


def _square(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """(B, 1, H, W): where a square of half the size lies, its center anywhere in the image."""
    masks = []
    for dim, uniform in ((2, down), (3, right)):
        size = x.shape[dim]
        side = int(size * 0.5 + 0.5)
        # The published code's range of centers: one more than the size where the side is even.
        center = (uniform * (size + (1 - side % 2))).floor().long()
        first = center - side // 2
        view = [1, 1, 1, 1]
        view[dim] = size
        place = torch.arange(size, device=x.device).view(view)
        masks.append((place >= first) & (place < first + side))
    return masks[0] & masks[1]


def _only_images(name: str, samples: Tensor) -> None:
    if samples.dim() != 4:
        shape = tuple(samples.shape[1:])
        raise ConfigurationError(f"augmentation={name} works on images, not on points of shape {shape}")
