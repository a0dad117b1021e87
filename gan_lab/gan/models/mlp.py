"""Fully connected networks, for points and for small images."""

import itertools
from collections.abc import Callable
from math import prod

import torch
from torch import Tensor, nn

from gan_lab.gan.models.layers import (
    NORM_1D,
    SPECTRAL,
    Norms,
    check_positive_int,
    make_norm,
    needs_bias,
    spectral_norm,
)
from gan_lab.utils.errors import ConfigurationError

Activation = Callable[[], nn.Module]


class LinearBlock(nn.Module):
    """Linear, normalization, activation."""

    def __init__(
        self, inputs: int, width: int, activation: Activation, kinds: Norms, normalization: str
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, width, bias=needs_bias(normalization))
        self.norm = make_norm(kinds, normalization, width)
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.norm(self.linear(x)))
        return out


def hidden_layers(
    inputs: int, width: int, depth: int, activation: Activation, kinds: Norms, normalization: str
) -> nn.Sequential:
    """Make ``depth`` blocks of ``width`` features."""
    sizes = [inputs] + [width] * depth
    return nn.Sequential(
        *(LinearBlock(a, b, activation, kinds, normalization) for a, b in itertools.pairwise(sizes))
    )


class MLPGenerator(nn.Module):
    """Map latents (B, L) to samples (B, *shape), with a tanh at the end for images only."""

    def __init__(
        self,
        latent_size: int,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 128,
        depth: int = 3,
        normalization: str = "none",
    ) -> None:
        super().__init__()
        check_positive_int(latent_size=latent_size, width=width, depth=depth)
        self.shape = tuple(shape)
        self.hidden = hidden_layers(latent_size, width, depth, activation, NORM_1D, normalization)
        self.output = nn.Linear(width, prod(shape))
        self.output_activation = nn.Tanh() if len(shape) == 3 else nn.Identity()

    def forward(self, latent: Tensor) -> Tensor:
        samples: Tensor = self.output_activation(self.output(self.hidden(latent)))
        return samples.view(len(latent), *self.shape)


class MLPDiscriminator(nn.Module):
    """Map samples (B, *shape) to logits (B,)."""

    def __init__(
        self,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 128,
        depth: int = 3,
        normalization: str = "none",
    ) -> None:
        super().__init__()
        check_positive_int(width=width, depth=depth)
        kinds = NORM_1D | SPECTRAL
        self.hidden = hidden_layers(prod(shape), width, depth, activation, kinds, normalization)
        self.output = nn.Linear(width, 1)
        if normalization == "spectral":
            spectral_norm(self)

    def forward(self, samples: Tensor) -> Tensor:
        logits: Tensor = self.output(self.hidden(samples.flatten(1)))
        return logits.squeeze(1)


class MaxoutDiscriminator(nn.Module):
    """Map samples (B, *shape) to logits (B / packing,) through maxout units (Goodfellow et al. 2013).

    Each of ``width`` units is the largest of ``pieces`` affine maps. With ``packing`` m, m samples get one
    logit together, as in PacGAN (Lin et al. 2018), so the batch must be a multiple of m.
    """

    def __init__(
        self, shape: tuple[int, ...], width: int = 200, depth: int = 3, pieces: int = 5, packing: int = 1
    ) -> None:
        super().__init__()
        check_positive_int(width=width, depth=depth, pieces=pieces, packing=packing)
        self.pieces, self.packing = pieces, packing
        sizes = [packing * prod(shape)] + [width] * depth
        self.hidden = nn.ModuleList(nn.Linear(a, b * pieces) for a, b in itertools.pairwise(sizes))
        self.output = nn.Linear(width, 1)

    def forward(self, samples: Tensor) -> Tensor:
        if len(samples) % self.packing:
            raise ConfigurationError(
                f"batch_size must be a multiple of model.discriminator.packing={self.packing}, "
                f"got {len(samples)}"
            )
        x = samples.reshape(len(samples) // self.packing, -1)
        for layer in self.hidden:
            x = torch.amax(layer(x).view(len(x), -1, self.pieces), dim=2)
        logits: Tensor = self.output(x)
        return logits.squeeze(1)
