"""The residual networks of SNGAN (Miyato et al. 2018), for images of 8 to 128 pixels, and 28."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

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


class NormAct(nn.Module):
    """Normalization, then activation, in front of a convolution of a residual branch."""

    def __init__(self, norm: nn.Module, activation: Activation) -> None:
        super().__init__()
        self.norm = norm
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.activation(self.norm(x))
        return out


def identity(x: Tensor) -> Tensor:
    return x


def upsample(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="nearest")


def downsample(x: Tensor) -> Tensor:
    return avg_pool2d(x, 2)


class GenBlock(nn.Module):
    """Residual block of the generator; ``resize`` (`upsample` or `identity`) works on both branches."""

    def __init__(
        self, channels: int, activation: Activation, normalization: str, resize: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.resize = resize
        self.site1 = NormAct(make_norm(NORM_2D, normalization, channels), activation)
        self.conv1 = nn.Conv2d(channels, channels, 3, 1, 1, bias=needs_bias(normalization))
        self.site2 = NormAct(make_norm(NORM_2D, normalization, channels), activation)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.shortcut = nn.Identity() if resize is identity else nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv1(self.resize(self.site1(x)))
        out: Tensor = self.conv2(self.site2(branch)) + self.shortcut(self.resize(x))
        return out


class DisBlock(nn.Module):
    """Residual block of the discriminator; the ``first`` one has no activation on the image itself."""

    def __init__(
        self,
        inputs: int,
        channels: int,
        activation: Activation,
        normalization: str,
        resize: Callable[[Tensor], Tensor],
        *,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.resize = resize
        kinds = NORM_2D | SPECTRAL
        self.site1 = nn.Identity() if first else NormAct(make_norm(kinds, normalization, inputs), activation)
        self.conv1 = nn.Conv2d(inputs, channels, 3, 1, 1, bias=first or needs_bias(normalization))
        self.site2 = NormAct(make_norm(kinds, "none" if first else normalization, channels), activation)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        same_shape = resize is identity and inputs == channels
        self.shortcut = nn.Identity() if same_shape else nn.Conv2d(inputs, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        branch = self.conv2(self.site2(self.conv1(self.site1(x))))
        out: Tensor = self.resize(branch) + self.shortcut(self.resize(x))
        return out


class ResNetGenerator(nn.Module):
    """Map latents (B, L) to images (B, C, H, W) in [-1, 1]; ``depth`` residual blocks per resolution."""

    def __init__(
        self,
        latent_size: int,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 64,
        depth: int = 1,
        normalization: str = "batch",
    ) -> None:
        super().__init__()
        check_positive_int(latent_size=latent_size, width=width, depth=depth)
        base, n = num_upsamples(shape)
        self.project = ProjectReshape(latent_size, width, base)
        sizes = ([upsample] + [identity] * (depth - 1)) * n
        self.blocks = nn.Sequential(*(GenBlock(width, activation, normalization, resize) for resize in sizes))
        self.last = NormAct(make_norm(NORM_2D, normalization, width), activation)
        self.output = nn.Conv2d(width, shape[0], 3, 1, 1)

    def forward(self, latent: Tensor) -> Tensor:
        return torch.tanh(self.output(self.last(self.blocks(self.project(latent)))))


class ResNetDiscriminator(nn.Module):
    """Map images (B, C, H, W) to logits (B,): halved to at most 8x8, ``depth`` blocks, a sum over pixels."""

    def __init__(
        self,
        shape: tuple[int, ...],
        activation: Activation,
        width: int = 64,
        depth: int = 2,
        normalization: str = "spectral",
    ) -> None:
        super().__init__()
        check_positive_int(width=width, depth=depth)
        num_upsamples(shape)  # refuses sizes that cannot be halved so often
        halvings = max((shape[1] // 7).bit_length() - 1, 1)
        sizes = [downsample] * halvings + [identity] * depth
        self.blocks = nn.Sequential(
            *(
                DisBlock(width if k else shape[0], width, activation, normalization, resize, first=k == 0)
                for k, resize in enumerate(sizes)
            )
        )
        self.last = NormAct(nn.Identity(), activation)
        self.output = nn.Linear(width, 1)
        if normalization == "spectral":
            spectral_norm(self)

    def forward(self, images: Tensor) -> Tensor:
        features = self.last(self.blocks(images)).sum(dim=(2, 3))
        logits: Tensor = self.output(features)
        return logits.squeeze(1)
