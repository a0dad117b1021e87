"""What a probe has recorded of a GAN, and what computes scalars from it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class ActivationRecord:
    """A hidden activation and its inputs, (N, C) or (N, C, H, W), for C units."""

    name: str
    module: nn.Module
    inputs: Tensor

    def outputs(self) -> Tensor:
        """Compute f at every input."""
        with torch.no_grad():
            out: Tensor = self.module(self.inputs)
            return out

    def derivatives(self) -> Tensor:
        """Compute f' at every input: the gradient of the summed outputs, as f works element by element."""
        with torch.enable_grad():
            x = self.inputs.detach().requires_grad_(True)
            (derivatives,) = torch.autograd.grad(self.module(x).sum(), x)
        return derivatives

    def learned(self) -> list[Tensor]:
        """Return the parameters of f, if it has any."""
        return [parameter.detach() for parameter in self.module.parameters()]

    def max_derivative(self) -> float | Tensor:
        """Return the largest |f'| of the function itself, see `max_derivative`."""
        return max_derivative(self.module, self.inputs.shape[1])


@dataclass(frozen=True)
class WeightLayer:
    """A layer's weight, and the gradient of its network's loss with respect to it."""

    name: str
    weight: Tensor
    gradient: Tensor


@dataclass(frozen=True)
class ProbedNetwork:
    """The activations and layers of one network, from input to output."""

    activations: list[ActivationRecord]
    layers: list[WeightLayer]


@dataclass(frozen=True)
class ProbeResult:
    """The record of both networks, and grad_x D(x) at real and at generated samples, each (N, *shape)."""

    players: Mapping[str, ProbedNetwork]
    real_gradients: Tensor
    fake_gradients: Tensor


class Diagnostic(ABC):
    """Computes scalars from a probe's result.

    Tags are ``diagnostics/<network>/...``, or ``diagnostics/pair/...`` for those of both networks.
    """

    @abstractmethod
    def __call__(self, probed: ProbeResult) -> dict[str, float]: ...


class TensorDiagnostic(Diagnostic):
    """Computes its scalars as tensors, so that stacked seeds are diagnosed at once, and read once.

    `tensors` must work under `torch.func.vmap`, where records have no ``module``: no value may decide what is
    computed. Where that fails, each seed is diagnosed by itself.
    """

    @abstractmethod
    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        """Compute scalars, tensors of shape (), by tag."""

    def __call__(self, probed: ProbeResult) -> dict[str, float]:
        [scalars] = read_scalars({tag: value[None] for tag, value in self.tensors(probed).items()})
        return scalars


def read_scalars(tensors: Mapping[Key, Tensor]) -> list[dict[Key, float]]:
    """Turn {key: (S,)} into one dictionary per seed; waits for each device once, for counts once more."""
    kinds = {key: (value.device, value.is_floating_point()) for key, value in tensors.items()}
    columns: dict[Key, list[float]] = {}
    for kind in dict.fromkeys(kinds.values()):
        keys = [key for key in tensors if kinds[key] == kind]
        columns |= zip(keys, torch.stack([tensors[key] for key in keys]).tolist(), strict=True)
    rows = zip(*(columns[key] for key in tensors), strict=True)
    return [dict(zip(tensors, map(float, row), strict=True)) for row in rows]


def max_derivative(activation: nn.Module, width: int = 1) -> float:
    """Return max |f'| over [-20, 20], in double precision, of a function that works element by element.

    width: of units, for a function that has a parameter for each of them.
    """
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64, requires_grad=True)
    if any(width == parameter.numel() > 1 for parameter in activation.parameters()):
        x = x.detach()[:, None].expand(-1, width).requires_grad_()
    with torch.enable_grad():
        (slopes,) = torch.autograd.grad(deepcopy(activation).cpu().double()(x).sum(), x)
    largest = float(slopes.abs().max())
    return largest if math.isfinite(largest) else math.nan
