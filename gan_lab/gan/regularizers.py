"""What is added to the discriminator's loss: penalties on its gradient in the data.

Each needs second derivatives of the activation function; ReLU's and leaky ReLU's are 0 almost everywhere.
"""

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from gan_lab.utils.errors import ConfigurationError


class Regularizer(Protocol):
    """(discriminator, real (B, *shape), fake (B, *shape), uniforms (B, self.uniforms)) -> scalar penalty."""

    @property
    def uniforms(self) -> int:
        """How many uniform numbers per sample it is given."""

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, uniforms: Tensor) -> Tensor: ...


class NoPenalty:
    uniforms = 0

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, uniforms: Tensor) -> Tensor:
        return torch.zeros((), device=real.device)


class GradientPenalty:
    """weight * E (||grad D(u x + (1 - u) G(z))|| - 1)², u ~ U(0, 1) a sample (Gulrajani et al. 2017)."""

    uniforms = 1

    def __init__(self, weight: float = 10.0) -> None:
        self.weight = _not_negative("weight", weight)

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, uniforms: Tensor) -> Tensor:
        u = uniforms[:, 0].view(-1, *[1] * (real.dim() - 1))
        squares = squared_gradient_norm(discriminator, u * real + (1 - u) * fake)
        # The derivative of a square root at 0 is infinite: a dead discriminator must not give NaN.
        norms = (squares + 1e-12).sqrt()
        return self.weight * (norms - 1).square().mean()


class R1:
    """gamma / 2 * E ||grad D(x)||² on real data (Mescheder et al. 2018)."""

    uniforms = 0

    def __init__(self, gamma: float = 1.0) -> None:
        self.gamma = _not_negative("gamma", gamma)

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, uniforms: Tensor) -> Tensor:
        return self.gamma / 2 * squared_gradient_norm(discriminator, real).mean()


class R1R2(R1):
    """R1 plus the same on generated data, R2 (Mescheder et al. 2018), as R3GAN has it (Huang et al. 2024)."""

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, uniforms: Tensor) -> Tensor:
        both = [squared_gradient_norm(discriminator, samples).mean() for samples in (real, fake)]
        return self.gamma / 2 * (both[0] + both[1])


def squared_gradient_norm(discriminator: nn.Module, samples: Tensor) -> Tensor:
    """(B,): ||grad_x D(x)||², summed over a sample's dimensions; differentiable in D's parameters."""
    # A functional gradient, because this also runs inside `torch.func.vmap`.
    gradient: Tensor = torch.func.grad(lambda x: discriminator(x).sum())(samples)
    return gradient.flatten(1).square().sum(1)


def _not_negative(key: str, value: float) -> float:
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ConfigurationError(f"{key} must be a number of at least 0, got {value!r}")
    return float(value)
