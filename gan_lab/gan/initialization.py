"""Weight initialization. Every function draws from torch's global generator and sets biases to 0.

Weight layers are linear layers and convolutions of both kinds. Each function takes a network and its hidden
activation, and returns the gain it used, None if it has none. Parameters of activations stay as their
constructors made them.
"""

import math
from collections.abc import Callable
from copy import deepcopy
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from gan_lab.utils.checks import check_number
from gan_lab.utils.errors import ConfigurationError

Init = Callable[[nn.Module, Tensor, bool], object]
WARM_UP = 15  # power iterations, as many as torch.nn.utils.parametrizations takes at the start


def init_own(network: nn.Module, activation: nn.Module | None) -> None:
    """Leave weights as the network's own code has drawn them."""


def init_dcgan(network: nn.Module, activation: nn.Module | None, std: float = 0.02) -> None:
    """Draw weights from N(0, std²), normalization scales from N(1, std²) (Radford et al. 2015, section 4)."""
    std = check_number("std", std, above=0)
    _init_layers(network, lambda layer, weight, behind: nn.init.normal_(weight, 0.0, std))
    for norm in _norms(network):
        if norm.weight is not None:
            nn.init.normal_(norm.weight, 1.0, std)


def init_orthogonal(network: nn.Module, activation: nn.Module | None, gain: float = 1.0) -> float:
    """Draw (semi-)orthogonal weight matrices and multiply them by a gain (Saxe et al. 2014)."""
    gain = check_number("gain", gain, above=0)
    _init_layers(network, lambda layer, weight, behind: nn.init.orthogonal_(weight, gain))
    return gain


def init_glorot(
    network: nn.Module, activation: nn.Module | None, gain: float = 1.0, residual_gain: float | None = None
) -> float:
    """Draw weights from U(-a, a), a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).

    residual_gain: the gain of layers in residual branches, those whose block has a ``shortcut``; None for the
    same. SNGAN's code has sqrt(2) there, and 1 elsewhere (Miyato et al. 2018).
    """
    gain = check_number("gain", gain, above=0)
    branch_gain = gain if residual_gain is None else check_number("residual_gain", residual_gain, above=0)
    residual = {
        layer
        for block in network.modules()
        if hasattr(block, "shortcut")
        for name, layer in block.named_children()
        if name != "shortcut"
    }

    def init(layer: nn.Module, weight: Tensor, behind: bool) -> None:
        nn.init.xavier_uniform_(weight, branch_gain if layer in residual else gain)

    _init_layers(network, init)
    return gain


def init_kaiming(network: nn.Module, activation: nn.Module | None) -> float:
    """Draw weights from N(0, 2 / fan_in), made for ReLU (He et al. 2015), whatever the activation is."""
    gain = math.sqrt(2.0)
    _init_layers(
        network, lambda layer, weight, behind: nn.init.normal_(weight, 0.0, gain / fan_in(layer) ** 0.5)
    )
    return gain


def init_matched(network: nn.Module, activation: nn.Module | None) -> float:
    """Draw weights from N(0, gain² / fan_in), gain = 1 / sqrt(E f(z)²) for the network's activation f.

    He et al. (2015) for any f: behind an activation the second moment of a layer's input is E f(z)², and this
    gain brings it back to 1. The first layer's input is data and that of a residual block's ``shortcut`` is a
    sum, not an activation's output: their gain is 1, as in a network without this activation (maxout).
    """
    gain = 1.0
    if activation is not None and any(type(module) is type(activation) for module in network.modules()):
        gain = second_moment_gain(activation)

    def init(layer: nn.Module, weight: Tensor, behind: bool) -> None:
        nn.init.normal_(weight, 0.0, (gain if behind else 1.0) / math.sqrt(fan_in(layer)))

    _init_layers(network, init)
    return gain


def second_moment_gain(activation: nn.Module) -> float:
    """Compute 1 / sqrt(E f(z)²), z ~ N(0, 1), by the trapezoidal rule in float64 on [-12, 12].

    Beyond 12 the density is below 1e-31; with 2^17 intervals a kink costs less than 1e-8.

    Raises ConfigurationError if this is not a finite number, or f does not work element by element.
    """
    name = type(activation).__name__
    f = deepcopy(activation).to("cpu", torch.float64).eval().requires_grad_(False)
    z = torch.linspace(-12, 12, 2**17 + 1, dtype=torch.float64, device="cpu")
    try:
        value = f(z)
    except (RuntimeError, IndexError, ValueError) as error:
        raise ConfigurationError(
            f"initialization=matched needs an activation that works on any shape, and {name} says: {error}"
        ) from error
    if value.shape != z.shape:
        raise ConfigurationError(
            f"initialization=matched needs an activation that keeps the shape of its input, "
            f"and {name} made {tuple(value.shape)} of {tuple(z.shape)}"
        )
    density = (-z.square() / 2).exp() / math.sqrt(2 * math.pi)
    weighted = value.square() * density
    moment = torch.trapezoid(weighted, z).item()
    if weighted[0] + weighted[-1] > 1e-9 * moment:  # still growing at the ends of the interval
        moment = math.inf
    if not (math.isfinite(moment) and moment > 0):
        raise ConfigurationError(f"initialization=matched needs 0 < E f(z)² < inf, got {moment} for {name}")
    return 1 / math.sqrt(moment)


def fan_in(layer: nn.Module) -> float:
    """Count the inputs that one output of a weight layer sums up.

    For a transposed convolution with stride s an output has in_channels * prod(kernel / s) of them, not the
    out_channels * prod(kernel) that `torch.nn.init` takes.
    """
    if isinstance(layer, nn.Linear):
        return layer.in_features
    assert isinstance(layer, _ConvNd)
    inputs = layer.in_channels / layer.groups * prod(layer.kernel_size)
    return inputs / prod(layer.stride) if isinstance(layer, _ConvTransposeNd) else inputs


def _init_layers(network: nn.Module, init: Init) -> None:
    """Call ``init(layer, weight, behind)`` for each weight layer, and set biases to 0.

    behind: whether the layer's input is an activation's output.
    """
    layers = [(n, m) for n, m in network.named_modules() if isinstance(m, (nn.Linear, _ConvNd))]
    for index, (name, layer) in enumerate(layers):
        behind = index > 0 and name.rsplit(".", 1)[-1] != "shortcut"
        _init_weight(name, layer, behind, init)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    for norm in _norms(network):
        if getattr(norm, "bias", None) is not None:
            nn.init.zeros_(norm.bias)


def _init_weight(name: str, layer: Any, behind: bool, init: Init) -> None:
    """Call ``init`` with the tensor that a layer's weight is computed from, which may have another name."""
    if isinstance(layer._parameters.get("weight"), nn.Parameter):
        init(layer, layer.weight, behind)
    elif not parametrize.is_parametrized(layer, "weight"):
        _init_hooked_weight(name, layer, behind, init)
    elif hasattr(layer.parametrizations.weight, "original"):
        weight = layer.parametrizations.weight.original
        init(layer, weight, behind)
        for parametrization in layer.parametrizations.weight:
            # Spectral normalization's vector belongs to the weight that was there before.
            getattr(parametrization, "warm_up", lambda weight: None)(weight)
    else:  # weight normalization, whose setter splits a weight in two
        weight = torch.empty_like(layer.weight)
        init(layer, weight, behind)
        layer.weight = weight


def _init_hooked_weight(name: str, layer: Any, behind: bool, init: Init) -> None:
    """Do so where a hook computes the weight: torch.nn.utils' older spectral_norm and weight_norm.

    Raises ConfigurationError for any other way, where what is drawn would be lost or mean something else.
    """
    hooks = [hook for hook in layer._forward_pre_hooks.values() if getattr(hook, "name", None) == "weight"]
    hook = hooks[0] if len(hooks) == 1 else None
    if isinstance(hook, SpectralNorm):
        init(layer, layer.weight_orig, behind)
        with torch.no_grad():  # its vectors belong to the weight that was there before
            for _ in range(WARM_UP):
                layer.weight = hook.compute_weight(layer, do_power_iteration=True)
    elif isinstance(hook, WeightNorm):
        weight = torch.empty_like(layer.weight_v)
        init(layer, weight, behind)
        with torch.no_grad():
            layer.weight_v.copy_(weight)
            layer.weight_g.copy_(torch.norm_except_dim(weight, 2, hook.dim))
            layer.weight = hook.compute_weight(layer)
    else:
        held = ", ".join(key for key, _ in layer.named_parameters())
        raise ConfigurationError(
            f"initialization must be own for this network: {name.removeprefix('network.')} computes its "
            f"weight in a way of its own, from {held or 'no parameter'}"
        )


def _norms(network: nn.Module) -> list[Any]:
    kinds = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
    return [module for module in network.modules() if isinstance(module, kinds)]
