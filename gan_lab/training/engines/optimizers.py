"""One optimizer step down a gradient, and what an optimizer remembers, in and out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lab.training.engines.state import TrainState, clone_values

OptimizerFactory = Callable[[Iterable[Tensor]], Optimizer]

STEP = "step"  # torch.optim's name for the count that all seeds share, of the shape of a scalar parameter


def build_optimizer(
    factory: OptimizerFactory,
    params: Mapping[str, Tensor],
    states: Sequence[TrainState],
    *,
    stacked: bool,
    capturable: bool,
) -> Optimizer:
    """Make an optimizer of ``params`` that continues where ``states`` are.

    stacked: parameters have a leading dimension, a slice per state; else there is one state. capturable: its
    step can become part of a CUDA graph.
    """
    optimizer = factory(params.values())
    if capturable:
        for group in optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = True
    for name, param in params.items():
        remembered = [state.optimizers.get(name, {}) for state in states]
        for key, value in remembered[0].items():
            if isinstance(value, Tensor):
                if stacked and key != STEP and value.shape == param.shape[1:]:
                    value = torch.stack([values[key] for values in remembered])
                value = _place(optimizer, param, key, value)
            optimizer.state[param][key] = value
    return optimizer


def _place(optimizer: Optimizer, param: Tensor, key: str, value: Tensor) -> Tensor:
    """Copy ``value`` to where the optimizer keeps it: on the parameter's device and in its memory layout.

    Step counts stay on the CPU, unless the optimizer reads them in a kernel: reading them from a device
    waits for it at every step.
    """
    on_device = any(group.get("fused") or group.get("capturable") for group in optimizer.param_groups)
    if key == STEP and not on_device:
        return value.clone()
    if value.shape == param.shape:
        return torch.empty_like(param, dtype=value.dtype, requires_grad=False).copy_(value)
    return value.to(param.device, copy=True)


def optimizer_state_dict(optimizer: Optimizer, params: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    """Map parameter names to copies of what the optimizer remembers of them; empty before its first step."""
    return {name: clone_values(optimizer.state[p]) for name, p in params.items() if p in optimizer.state}


def optimizer_step(loss: Tensor, params: Iterable[Tensor], optimizer: Optimizer) -> None:
    """Take one optimizer step down the gradient of ``loss`` in ``params``, and in nothing else.

    Asking for these gradients only spares the other network's weight gradients, which a plain ``backward()``
    computes in the generator's step and throws away.
    """
    params = list(params)
    gradients = torch.autograd.grad(loss, params, allow_unused=True)
    for param, gradient in zip(params, gradients, strict=True):
        if gradient is not None and gradient.stride() != param.stride():
            # Fused optimizers walk memory, not indices, and `grad` promises no memory format.
            gradient = torch.empty_like(param, requires_grad=False).copy_(gradient)
        param.grad = gradient
    optimizer.step()
