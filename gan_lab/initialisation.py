"""How weights start. Every policy draws from torch's global generator and sets biases to 0.

Each takes (network, activation) and returns the gain it used, or None where it has none. Parameters of
activations are left as their constructors made them.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize

from gan_lab.errors import ConfigurationError


def dcgan(network: nn.Module, activation: nn.Module | None, std: float = 0.02) -> None:
    """Weights N(0, std), normalisation scales N(1, std) (Radford et al. 2015, section 4)."""
    _fill(network, lambda index, layer, weight: nn.init.normal_(weight, 0.0, _positive("std", std)))
    for module in network.modules():
        scale = getattr(module, "weight", None)
        if not isinstance(module, (nn.Linear, _ConvNd)) and _is_norm(module) and scale is not None:
            nn.init.normal_(scale, 1.0, std)


def orthogonal(network: nn.Module, activation: nn.Module | None, gain: float = 1.0) -> float:
    """(Semi-)orthogonal weight matrices times a gain (Saxe et al. 2014)."""
    _fill(network, lambda index, layer, weight: nn.init.orthogonal_(weight, _positive("gain", gain)))
    return gain


def kaiming(network: nn.Module, activation: nn.Module | None) -> float:
    """Weights N(0, 2 / fan_in), made for ReLU (He et al. 2015), whatever the activation is."""
    gain = math.sqrt(2.0)
    _fill(network, lambda index, layer, weight: nn.init.normal_(weight, 0.0, gain / math.sqrt(fan_in(layer))))
    return gain


def matched(network: nn.Module, activation: nn.Module | None) -> float:
    """Weights N(0, gain² / fan_in), gain = 1 / sqrt(E f(z)²) for the network's own activation f.

    He et al. (2015) for any f: behind an activation the second moment of what comes in is E f(z)², and this
    gain brings it back to 1. The first layer sees data, not an activation: its gain is 1.
    """
    gain = 1.0 if activation is None else second_moment_gain(activation)

    def draw(index: int, layer: nn.Module, weight: Tensor) -> None:
        nn.init.normal_(weight, 0.0, (gain if index else 1.0) / math.sqrt(fan_in(layer)))

    _fill(network, draw)
    return gain


def second_moment_gain(activation: nn.Module) -> float:
    """1 / sqrt(E f(z)²), z ~ N(0, 1), by the trapezoidal rule in float64 on [-12, 12].

    Beyond 12 the density is below 1e-31; with 2^17 intervals a kink costs less than 1e-8.
    """
    f = deepcopy(activation).double().eval().requires_grad_(False)
    z = torch.linspace(-12, 12, 2**17 + 1, dtype=torch.float64)
    value = f(z)
    if value.shape != z.shape:
        raise ConfigurationError(
            f"initialisation=matched needs an activation that keeps the shape of its input, "
            f"and {type(activation).__name__} made {tuple(value.shape)} of {tuple(z.shape)}"
        )
    density = (-z.square() / 2).exp() / math.sqrt(2 * math.pi)
    moment = torch.trapezoid(value.square() * density, z).item()
    if not (math.isfinite(moment) and moment > 0):
        raise ConfigurationError(
            f"initialisation=matched needs 0 < E f(z)² < inf, got {moment} for {type(activation).__name__}"
        )
    return 1 / math.sqrt(moment)


def fan_in(layer: nn.Module) -> float:
    """How many inputs one output of a weight layer sums up.

    For a transposed convolution with stride s an output sees in_channels * prod(kernel / s) of them, not the
    out_channels * prod(kernel) that `torch.nn.init` takes.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features
    assert isinstance(layer, _ConvNd)
    inputs = layer.in_channels / layer.groups * prod(layer.kernel_size)
    return inputs / prod(layer.stride) if isinstance(layer, _ConvTransposeNd) else inputs


def _fill(network: nn.Module, draw: Callable[[int, nn.Module, Tensor], object]) -> None:
    layers = [m for m in network.modules() if isinstance(m, (nn.Linear, _ConvNd))]
    for index, layer in enumerate(layers):
        found: Any = layer
        if parametrize.is_parametrized(layer, "weight"):
            weight = found.parametrizations.weight.original
            draw(index, layer, weight)
            for parametrization in found.parametrizations.weight:
                # Spectral normalisation's vector belongs to the weight that was there before.
                getattr(parametrization, "warm_up", lambda weight: None)(weight)
        else:
            draw(index, layer, found.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _is_norm(module: nn.Module) -> bool:
    return isinstance(module, (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm))


def _positive(key: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise ConfigurationError(f"{key} must be a number above 0, got {value!r}")
    return value
