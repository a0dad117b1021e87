"""Penalties on the discriminator's gradient in the data, which are added to its loss.

Each needs second derivatives of the activation function; ReLU's and leaky ReLU's are 0 almost everywhere.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from gan_lab.utils.checks import check_number


class Regularizer(Protocol):
    """Maps a discriminator, real and fake (B, *shape) and U(0, 1) draws (B, num_rand) to a scalar penalty."""

    @property
    def num_rand(self) -> int:
        """How many draws per sample it is given."""

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, rand: Tensor) -> Tensor: ...


class NoPenalty:
    """A penalty of 0."""

    num_rand = 0

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, rand: Tensor) -> Tensor:
        return torch.zeros((), device=real.device)


class GradientPenalty:
    """weight * E (||grad D(u x + (1 - u) G(z))|| - 1)², u ~ U(0, 1) per sample (Gulrajani et al. 2017)."""

    num_rand = 1

    def __init__(self, weight: float = 10.0) -> None:
        self.weight = check_number("weight", weight, at_least=0)

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, rand: Tensor) -> Tensor:
        u = rand[:, 0].view(-1, *[1] * (real.dim() - 1))
        squares = squared_gradient_norm(discriminator, u * real + (1 - u) * fake)
        # The derivative of a square root at 0 is infinite: a dead discriminator must not give NaN.
        norms = (squares + 1e-12).sqrt()
        return self.weight * (norms - 1).square().mean()


class R1:
    """gamma / 2 * E ||grad D(x)||² on real data (Mescheder et al. 2018)."""

    num_rand = 0

    def __init__(self, gamma: float = 1.0) -> None:
        self.gamma = check_number("gamma", gamma, at_least=0)

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, rand: Tensor) -> Tensor:
        return self.gamma / 2 * squared_gradient_norm(discriminator, real).mean()


class R1R2(R1):
    """R1 plus the same on generated data, R2 (Mescheder et al. 2018), as R3GAN has it (Huang et al. 2024)."""

    def __call__(self, discriminator: nn.Module, real: Tensor, fake: Tensor, rand: Tensor) -> Tensor:
        r1, r2 = (squared_gradient_norm(discriminator, samples).mean() for samples in (real, fake))
        return self.gamma / 2 * (r1 + r2)


def squared_gradient_norm(discriminator: nn.Module, samples: Tensor) -> Tensor:
    """(B,): ||grad_x D(x)||², summed over a sample's dimensions; differentiable in D's parameters."""
    gradient: Tensor
    if torch._C._functorch.is_functorch_wrapped_tensor(samples):
        # Inside `torch.func.vmap` only functional gradients are allowed.
        gradient = torch.func.grad(lambda x: discriminator(x).sum())(samples)
    else:
        samples = samples if samples.requires_grad else samples.detach().requires_grad_(True)
        with torch.enable_grad():
            logit = discriminator(samples).sum()
        (gradient,) = torch.autograd.grad(logit, samples, create_graph=True, materialize_grads=True)
    return gradient.flatten(1).square().sum(1)
