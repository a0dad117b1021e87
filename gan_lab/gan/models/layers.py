"""What the architectures share: normalization by name, spectral normalization, and image sizes."""

from collections.abc import Callable
from math import gcd

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils import parametrize

from gan_lab.utils.checks import check_choice, check_int
from gan_lab.utils.errors import ConfigurationError

Norms = dict[str, Callable[[int], nn.Module]]

# Name -> makes the layer that follows a weight layer with the given number of output features.
NORM_2D: Norms = {
    "none": lambda channels: nn.Identity(),
    "batch": nn.BatchNorm2d,
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "layer": lambda channels: nn.GroupNorm(1, channels),
    "group": lambda channels: nn.GroupNorm(gcd(32, channels), channels),
}
NORM_1D: Norms = {
    "none": lambda features: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
# For discriminators only: their weights are normalized (`spectral_norm`), so no layer follows them.
SPECTRAL: Norms = {"spectral": lambda features: nn.Identity()}


def make_norm(kinds: Norms, name: str, features: int) -> nn.Module:
    """Make the layer of ``kinds`` called ``name``; an identity if nothing is normalized after a layer."""
    return kinds[check_choice("normalization", name, kinds)](features)


def needs_bias(normalization: str) -> bool:
    """Whether a layer's bias has an effect in spite of the normalization that follows it."""
    return normalization not in ("batch", "instance")


# Every layer is a Python object: the memory check would come only after millions of them had been built.
MAX_DEPTH = 1000


def check_positive_int(**sizes: int) -> None:
    """Check that each size, by its key, is a whole number of at least 1; ``depth`` has a limit, too."""
    for key, value in sizes.items():
        check_int(key, value, at_most=MAX_DEPTH if key == "depth" else None)


class SpectralNorm(nn.Module):
    """W / sigma(W), sigma by one power iteration per training forward (Miyato et al. 2018, algorithm 1).

    A parametrization of ``weight`` (out, ...), seen as a matrix (out, rest). Unlike
    `torch.nn.utils.parametrizations.spectral_norm` it writes nothing with ``out=``, so it runs under
    `torch.func.vmap`; and with ``track_running_stats`` off it leaves ``u`` as it is.
    """

    u: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.track_running_stats = True
        self.register_buffer("u", normalize(torch.randn(len(weight)), dim=0))
        self.warm_up(weight)

    @torch.no_grad()
    def warm_up(self, weight: Tensor, iterations: int = 15) -> None:
        """Bring ``u`` near the first singular vector of a weight that has just been initialized."""
        for _ in range(0 if weight.is_meta else iterations):
            self.u.copy_(self._iterate(weight.flatten(1))[0])

    def forward(self, weight: Tensor) -> Tensor:
        matrix = weight.flatten(1)
        # New tensors: two forwards of one step may both be differentiated after the buffer has changed.
        with torch.no_grad():
            u, v = self._iterate(matrix)
            if self.training and self.track_running_stats:
                self.u.copy_(u)
        return weight / (u @ (matrix @ v))

    def _iterate(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        v = normalize(matrix.mT @ self.u, dim=0)
        return normalize(matrix @ v, dim=0), v


def spectral_norm(network: nn.Module) -> None:
    """Normalize every weight layer of a network by its spectral norm."""
    for module in list(network.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d):
            parametrize.register_parametrization(module, "weight", SpectralNorm(module.weight))


class ProjectReshape(nn.Module):
    """Map (B, L) to (B, channels, base, base): "project and reshape", the first layer of image generators."""

    def __init__(self, latent_size: int, channels: int, base: int, *, bias: bool = True) -> None:
        super().__init__()
        self.base = base
        self.linear = nn.Linear(latent_size, channels * base**2, bias=bias)

    def forward(self, latent: Tensor) -> Tensor:
        maps: Tensor = self.linear(latent).view(len(latent), -1, self.base, self.base)
        return maps


def num_upsamples(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (base, n) for an image shape (C, H, W): H = W = base * 2**n, base 4 or 7."""
    if len(shape) == 3 and shape[1] == shape[2]:
        for base in (4, 7):
            n = (shape[1] // base).bit_length() - 1
            if n >= 1 and shape[1] == base * 2**n and shape[1] <= 128:
                return base, n
    size = " x ".join(map(str, shape[1:])) if len(shape) == 3 else f"points of {shape[0]} numbers"
    instead = "dataset.size" if len(shape) == 3 else "model=mlp makes points"
    raise ConfigurationError(
        f"this model cannot make {size}: it makes square images of 8, 16, 32, 64, 128 or 14, 28, 56, 112 "
        f"pixels ({instead})"
    )
