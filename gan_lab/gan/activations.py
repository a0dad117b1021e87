"""Activation functions that torch.nn lacks, and how to find a network's activations."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from gan_lab.utils.checks import check_number
from gan_lab.utils.errors import ConfigurationError


class Snake(nn.Module):
    """x + sin²(a x) / a (Ziyin et al. 2020, *Neural Networks Fail to Learn Periodic Functions*).

    Its derivative 1 + sin(2 a x) lies in [0, 2]. ``alpha`` is the frequency a; ``trainable`` makes it a
    parameter, one per layer.
    """

    alpha: float | Tensor

    def __init__(self, alpha: float = 1.0, trainable: bool = False) -> None:
        super().__init__()
        alpha = check_number("alpha", alpha, above=0)
        self.alpha = nn.Parameter(torch.tensor(alpha)) if trainable else alpha

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.alpha * x).sin().square() / self.alpha

    def extra_repr(self) -> str:
        trainable = isinstance(self.alpha, Tensor)
        alpha = self.alpha.detach().item() if isinstance(self.alpha, Tensor) else self.alpha
        return f"alpha={alpha:g}, trainable={trainable}"


class ShiftedSoftplus(nn.Module):
    """softplus(2x + 2) / 2 - 1, with derivative sigmoid(2x + 2).

    Gulrajani et al. (2017), *Improved Training of Wasserstein GANs*, replace ELU by this smooth function,
    because the gradient penalty needs a continuous second derivative. It is near the identity for large x and
    near -1 for small x.
    """

    def forward(self, x: Tensor) -> Tensor:
        return softplus(2 * x + 2) / 2 - 1


class AsWritten(nn.Module):
    """Stands for whatever a network that gan-lab did not write has in each place."""

    is_function = False

    def forward(self, x: Tensor) -> Tensor:
        raise ConfigurationError(
            "activation=as_written is for networks of your own, which have activations already (model=own)"
        )


def activation_sites(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """List a network's hidden activations: (name, module) of every attribute called ``activation``.

    A network of the user's own knows its ``sites`` itself, by the user's names.
    """
    sites = getattr(network, "sites", None)
    if callable(sites):
        return list(sites().items())
    return [(n, m) for n, m in network.named_modules() if n.rsplit(".", 1)[-1] == "activation"]
