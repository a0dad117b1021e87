"""The deep convolutional GAN (Radford et al. 2015), for images of 8 to 128 pixels, and 28."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gan_lab.gan.models.layers import (
    NORM_2D,
    SPECTRAL,
    ProjectReshape,
    check_positive_int,
    make_norm,
    needs_bias,
    num_upsamples,
    spectral_norm,
)

Activation = Callable[[], nn.Module]


class Block(nn.Module):
    """A convolution of either kind, normalization, activation."""

    def __init__(self, convolution: nn.Module, norm: nn.Module, activation: Activation) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = norm
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.norm(self.convolution(x)))
        return out


def channels(width: int, levels: int) -> list[int]:
    """List the channels of the hidden levels, finest first: doubling, up to eight times the width."""
    return [width * min(2**level, 8) for level in range(levels)]


class DCGANGenerator(nn.Module):
    """Map latents (B, L) to images (B, C, H, W) in [-1, 1]; ``depth`` convolutions per resolution."""

    def __init__(
        self,
        latent_size: int,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 32,
        depth: int = 1,
        normalization: str = "batch",
    ) -> None:
        super().__init__()
        check_positive_int(latent_size=latent_size, width=width, depth=depth)
        base, n = num_upsamples(shape)
        bias = needs_bias(normalization)
        coarse_to_fine = channels(width, n)[::-1]

        def block(convolution: nn.Module, out: int) -> Block:
            return Block(convolution, make_norm(NORM_2D, normalization, out), activation)

        coarsest = coarse_to_fine[0]
        resize: list[nn.Module] = [ProjectReshape(latent_size, coarsest, base, bias=bias)]
        for inputs, out in itertools.pairwise(coarse_to_fine):
            resize.append(nn.ConvTranspose2d(inputs, out, 4, 2, 1, bias=bias))
        blocks: list[nn.Module] = []
        for layer, out in zip(resize, coarse_to_fine, strict=True):
            blocks.append(block(layer, out))
            blocks += [block(nn.Conv2d(out, out, 3, 1, 1, bias=bias), out) for _ in range(depth - 1)]
        self.hidden = nn.Sequential(*blocks)
        self.output = nn.ConvTranspose2d(width, shape[0], 4, 2, 1)

    def forward(self, latent: Tensor) -> Tensor:
        return torch.tanh(self.output(self.hidden(latent)))


class DCGANDiscriminator(nn.Module):
    """Map images (B, C, H, W) to logits (B,); the first layer is not normalized, as in the paper."""

    def __init__(
        self,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 32,
        depth: int = 1,
        normalization: str = "batch",
    ) -> None:
        super().__init__()
        check_positive_int(width=width, depth=depth)
        base, n = num_upsamples(shape)
        bias = needs_bias(normalization)
        kinds = NORM_2D | SPECTRAL
        blocks: list[nn.Module] = []
        inputs = shape[0]
        for level, out in enumerate(channels(width, n)):
            norm = make_norm(kinds, normalization, out)  # for the first layer too: the name may be misspelt
            convolution = nn.Conv2d(inputs, out, 4, 2, 1, bias=bias or level == 0)
            blocks.append(Block(convolution, norm if level else nn.Identity(), activation))
            for _ in range(depth - 1):
                norm = make_norm(kinds, normalization, out)
                blocks.append(Block(nn.Conv2d(out, out, 3, 1, 1, bias=bias), norm, activation))
            inputs = out
        self.hidden = nn.Sequential(*blocks)
        self.output = nn.Conv2d(inputs, 1, base)
        if normalization == "spectral":
            spectral_norm(self)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.output(self.hidden(images))
        return logits.flatten()
