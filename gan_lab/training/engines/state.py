"""Moving state in and out of an engine: optimizers' memory, averages, and one step down a gradient."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_lab.gan.steps import PLAYERS
from gan_lab.training.engines.base import TrainState

STEP = "step"  # torch.optim's name for the one state that is shared, and a scalar like a scalar parameter's


def optimizer_step(loss: Tensor, parameters: Iterable[Tensor], optimizer: Optimizer) -> None:
    """One optimizer step down the gradient of ``loss`` in ``parameters``, and in nothing else.

    Asking for these gradients only spares the other network's weight gradients, which a plain
    ``backward()`` computes in the generator's turn and throws away.
    """
    parameters = list(parameters)
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None and gradient.stride() != parameter.stride():
            # Fused optimizers walk memory, not indices, and `grad` promises no memory format.
            gradient = torch.empty_like(parameter, requires_grad=False).copy_(gradient)
        parameter.grad = gradient
    optimizer.step()


def has_convolutions(network: nn.Module) -> bool:
    """Whether there is a convolution of any kind in a network."""
    return any(isinstance(m, nn.modules.conv._ConvNd) for m in network.modules())


def split_by_network(parameters: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """A pair's parameters, split by whose they are."""
    return {player: {n: p for n, p in parameters.items() if n.startswith(f"{player}.")} for player in PLAYERS}


def generator_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The generator's part of a pair's state, under the generator's own names."""
    return {n[10:]: t for n, t in state.items() if n.startswith("generator.")}


def clone_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state that later steps do not change."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def matches_layout(value: object, parameter: Tensor) -> bool:
    """Whether a piece of optimizer state has one number for each of its parameter's."""
    return isinstance(value, Tensor) and value.shape == parameter.shape


def optimizer_state_dict(optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Parameter name -> a copy of what the optimizer remembers of it; nothing before its first step."""
    return {
        name: {k: v.clone() if isinstance(v, Tensor) else v for k, v in optimizer.state[p].items()}
        for name, p in parameters.items()
        if p in optimizer.state
    }


def load_optimizer_state(
    optimizer: Optimizer, own: Mapping[str, Tensor], members: Sequence[TrainState], *, stacked: bool
) -> None:
    """Give an optimizer back what `optimizer_state_dict` took, of one member or of all, stacked."""
    for name, parameter in own.items():
        states = [member.optimizers.get(name, {}) for member in members]
        for key, first in states[0].items():
            if not isinstance(first, Tensor):
                value: Any = first
            elif stacked and key != STEP and first.shape == parameter.shape[1:]:
                value = torch.stack([state[key] for state in states])
            else:
                value = first.clone()
            if matches_layout(value, parameter):
                # State must lie in memory as its parameter does: see `optimizer_step`.
                value = torch.empty_like(parameter, requires_grad=False).copy_(value)
            optimizer.state[parameter][key] = value


def update_average(
    average: dict[str, Tensor], source: Mapping[str, Tensor], learned: set[str], decay: float
) -> None:
    """Exponential moving average of what is learned; running statistics are taken as they are."""
    names = [name for name in average if name in learned]
    torch._foreach_lerp_([average[n] for n in names], [source[n].detach() for n in names], 1 - decay)
    for name in average.keys() - learned:
        average[name].copy_(source[name])
