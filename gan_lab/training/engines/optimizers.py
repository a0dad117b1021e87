"""How an optimizer is made, and one step of it down a gradient."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lab.training.engines.optimizer_state import load_param_state, load_settings
from gan_lab.training.engines.state import TrainState

OptimizerFactory = Callable[[Iterable[Tensor]], Optimizer]
Gradients = Sequence[Tensor | None]  # of parameters; None for one on which the loss does not depend
Clipping = Callable[[Sequence[Tensor]], Sequence[Tensor]]  # gradients -> what the optimizer gets
Schedule = Callable[[int], float]  # step -> factor of the learning rate
BASE_RATE = "initial_lr"  # of a group of parameters: its rate at factor 1, by torch's name


def build_optimizer(
    factory: OptimizerFactory,
    player: str,
    params: Mapping[str, Tensor],
    states: Sequence[TrainState],
    *,
    stacked: bool,
    capturable: bool,
    scheduled: bool = False,
) -> Optimizer:
    """Make the optimizer of ``player``, with these parameters, that continues where ``states`` are.

    stacked: parameters have a leading dimension, a slice per state; else there is one state. capturable: its
    step can become part of a CUDA graph. scheduled: `set_learning_rate` will be called.
    """
    optimizer = factory(params.values())
    if scheduled:
        for group in optimizer.param_groups:
            group[BASE_RATE] = float(group["lr"])
    if capturable:
        for group in optimizer.param_groups:
            if "capturable" in group:
                group["capturable"] = True
    if player in states[0].optimizer_settings:
        load_settings(optimizer, states[0].optimizer_settings[player])
    load_param_state(optimizer, params, [state.optimizers for state in states], stacked=stacked)
    if scheduled and capturable:
        # A number would be captured as it is; a tensor is read at each replay.
        for group in optimizer.param_groups:
            device = group["params"][0].device
            group["lr"] = torch.tensor(float(group["lr"]), dtype=torch.float32, device=device)
    return optimizer


def set_learning_rate(optimizer: Optimizer, factor: float) -> float:
    """Set an optimizer's rates to ``factor`` times those that it was made with; return the first one."""
    for group in optimizer.param_groups:
        rate = group[BASE_RATE] * factor
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
    return float(optimizer.param_groups[0][BASE_RATE] * factor)


def optimizer_step(
    gradients: Gradients, params: Iterable[Tensor], optimizer: Optimizer, clip: Clipping | None = None
) -> None:
    """Take one optimizer step down these gradients of ``params``.

    clip: what becomes of the gradients of those that have one.
    """
    params = list(params)
    if clip is not None:
        present = {k: gradient for k, gradient in enumerate(gradients) if gradient is not None}
        clipped = dict(zip(present, clip(list(present.values())), strict=True))
        gradients = [clipped.get(k) for k in range(len(params))]
    for param, gradient in zip(params, gradients, strict=True):
        if gradient is not None and gradient.stride() != param.stride():
            # Fused optimizers walk memory, not indices, and `grad` promises no memory format.
            gradient = torch.empty_like(param, requires_grad=False).copy_(gradient)
        param.grad = gradient
    optimizer.step()
