"""Residual networks as SNGAN has them (Miyato et al. 2018), for images of 8 to 128 pixels, and 28."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from gan_lab.models.layers import (
    FOR_MAPS,
    SPECTRAL,
    Project,
    at_least_one,
    needs_bias,
    normalise,
    spectral_normalise,
    upsamplings,
)

Activation = Callable[[], nn.Module]


class Site(nn.Module):
    """Normalisation, then activation: what stands before a convolution in a residual branch."""

    def __init__(self, norm: nn.Module, activation: Activation) -> None:
        super().__init__()
        self.norm = norm
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.norm(x))
        return out


def same(x: Tensor) -> Tensor:
    return x


def double(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="nearest")


def halve(x: Tensor) -> Tensor:
    return avg_pool2d(x, 2)


class Up(nn.Module):
    """Residual block of the generator; ``resize`` doubles the image in both branches, or leaves it."""

    def __init__(
        self, channels: int, activation: Activation, normalisation: str, resize: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.resize = resize
        self.site1 = Site(normalise(FOR_MAPS, normalisation, channels), activation)
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=needs_bias(normalisation))
        self.site2 = Site(normalise(FOR_MAPS, normalisation, channels), activation)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.shortcut = nn.Identity() if resize is same else nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv1(self.resize(self.site1(x)))
        out: Tensor = self.conv2(self.site2(branch)) + self.shortcut(self.resize(x))
        return out


class Down(nn.Module):
    """Residual block of the discriminator; the ``first`` one has no activation on the image itself."""

    def __init__(
        self,
        inputs: int,
        channels: int,
        activation: Activation,
        normalisation: str,
        resize: Callable[[Tensor], Tensor],
        *,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.resize = resize
        kinds = FOR_MAPS | SPECTRAL
        self.site1 = nn.Identity() if first else Site(normalise(kinds, normalisation, inputs), activation)
        self.conv1 = nn.Conv2d(inputs, channels, 3, 1, 1, bias=first or needs_bias(normalisation))
        self.site2 = Site(normalise(kinds, "none" if first else normalisation, channels), activation)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        plain = resize is same and inputs == channels
        self.shortcut = nn.Identity() if plain else nn.Conv2d(inputs, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv2(self.site2(self.conv1(self.site1(x))))
        out: Tensor = self.resize(branch) + self.shortcut(self.resize(x))
        return out


class Generator(nn.Module):
    """(B, L) -> (B, C, H, W) in [-1, 1]; ``width`` channels, ``depth`` residual blocks a resolution."""

    def __init__(
        self,
        latent_size: int,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 64,
        depth: int = 1,
        normalisation: str = "batch",
    ) -> None:
        super().__init__()
        at_least_one(latent_size=latent_size, width=width, depth=depth)
        base, n = upsamplings(shape)
        self.project = Project(latent_size, width, base)
        sizes = ([double] + [same] * (depth - 1)) * n
        self.blocks = nn.Sequential(*(Up(width, activation, normalisation, resize) for resize in sizes))
        self.last = Site(normalise(FOR_MAPS, normalisation, width), activation)
        self.output = nn.Conv2d(width, shape[0], 3, 1, 1)

    def forward(self, latent: Tensor) -> Tensor:
        return torch.tanh(self.output(self.last(self.blocks(self.project(latent)))))


class Discriminator(nn.Module):
    """(B, C, H, W) -> (B,) logits: halved (once or more) to at most 8x8, ``depth`` blocks, a sum."""

    def __init__(
        self,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 64,
        depth: int = 2,
        normalisation: str = "spectral",
    ) -> None:
        super().__init__()
        at_least_one(width=width, depth=depth)
        upsamplings(shape)  # Refuses what cannot be halved so often.
        halvings = max((shape[1] // 7).bit_length() - 1, 1)
        sizes = [halve] * halvings + [same] * depth
        self.blocks = nn.Sequential(
            *(
                Down(width if k else shape[0], width, activation, normalisation, resize, first=k == 0)
                for k, resize in enumerate(sizes)
            )
        )
        self.last = Site(nn.Identity(), activation)
        self.output = nn.Linear(width, 1)
        if normalisation == "spectral":
            spectral_normalise(self)

    def forward(self, images: Tensor) -> Tensor:
        features = self.last(self.blocks(images)).sum(dim=(2, 3))
        logits: Tensor = self.output(features)
        return logits.squeeze(1)
