"""Activation functions that torch.nn lacks, and where a network's activations are."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gan_lab.utils.errors import ConfigurationError


class Snake(nn.Module):
    """x + sin²(a x) / a (Ziyin et al. 2020, *Neural Networks Fail to Learn Periodic Functions*).

    Its derivative 1 + sin(2 a x) lies in [0, 2]. ``alpha`` is the frequency a; ``trainable`` makes it a
    parameter, one a layer.
    """

    alpha: float | Tensor

    def __init__(self, alpha: float = 1.0, trainable: bool = False) -> None:
        super().__init__()
        if not (isinstance(alpha, (int, float)) and math.isfinite(alpha) and alpha > 0):
            raise ConfigurationError(f"alpha must be a number above 0, got {alpha!r}")
        self.alpha = nn.Parameter(torch.tensor(float(alpha))) if trainable else float(alpha)

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.alpha * x).sin().square() / self.alpha

    def extra_repr(self) -> str:
        trainable = isinstance(self.alpha, Tensor)
        alpha = self.alpha.detach().item() if isinstance(self.alpha, Tensor) else self.alpha
        return f"alpha={alpha:g}, trainable={trainable}"


class ShiftedSoftplus(nn.Module):
    """softplus(2x + 2) / 2 - 1, with derivative sigmoid(2x + 2).

    Gulrajani et al. (2017), *Improved Training of Wasserstein GANs*, put this smooth function in the place of
    ELU, because the gradient penalty needs a second derivative that is continuous. Near the identity for
    large x, -1 for small.
    """

    def forward(self, x: Tensor) -> Tensor:
        return softplus(2 * x + 2) / 2 - 1


def activation_sites(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Hidden activations of a network: (name, module) of what is stored under an attribute ``activation``."""
    return [(n, m) for n, m in network.named_modules() if n.rsplit(".", 1)[-1] == "activation"]
