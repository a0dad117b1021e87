"""What an activation costs: time and memory relative to ReLU's, on one device."""

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import grad
from torch.autograd.graph import saved_tensors_hooks

from gan_lab.utils.errors import summarize_exception

STAGES = ("forward", "backward", "double_backward")
COST_COLUMNS = (*STAGES, "memory")
WARM_UP, ROUNDS = 5, 25


@dataclass(frozen=True)
class Cost:
    """Multiples of ReLU's; None for what could not be measured.

    ``backward`` is vᵀ∂f/∂(x, parameters) for a given v. ``double_backward`` is one more derivative of that,
    with respect to x, v and parameters, which is what a gradient penalty adds to a step. ``memory``: the
    output and all else that autograd keeps for the backward pass.
    """

    forward: float | None = None
    backward: float | None = None
    double_backward: float | None = None
    memory: float | None = None
    note: str = ""


def num_elements(device: torch.device) -> int:
    """Return how many numbers an activation is timed on: a layer of a small GAN, or enough to fill a GPU."""
    return 2**18 if device.type == "cpu" else 2**24


def measure(activation: nn.Module, device: torch.device) -> Cost:
    """Measure in training mode and float32: medians over rounds that time ReLU and the activation in turn."""
    generator = torch.Generator().manual_seed(0)
    x, v, u = (
        torch.randn(64, num_elements(device) // 64, generator=generator).to(device).requires_grad_(wants)
        for wants in (True, True, False)
    )
    timed, relu = deepcopy(activation).to(device).train(), nn.ReLU()
    try:
        memory = _kept_bytes(timed, x) / _kept_bytes(relu, x)
        stages = len(_times(timed, x, v, u, device))
    except Exception as error:
        return Cost(note=f"cost not measured: {summarize_exception(error)}")
    spent: dict[nn.Module, list[list[float]]] = {timed: [], relu: []}
    for round_ in range(WARM_UP + ROUNDS):
        for module in (timed, relu) if round_ % 2 else (relu, timed):  # Neither always comes second.
            seconds = _times(module, x, v, u, device)
            if round_ >= WARM_UP:
                spent[module].append(seconds)
    ratio = {
        name: median(t[k] for t in spent[timed]) / median(t[k] for t in spent[relu])
        for k, name in enumerate(STAGES[:stages])
    }
    missing = " and ".join(STAGES[stages:]).replace("_", " ")
    return Cost(**ratio, memory=memory, note=f"autograd has no {missing}" if missing else "")


def _times(module: nn.Module, x: Tensor, v: Tensor, u: Tensor, device: torch.device) -> list[float]:
    """Return the seconds of each stage, in the order of `STAGES`, as far as autograd has derivatives."""
    inputs = (x, *(p for p in module.parameters() if p.requires_grad))
    seconds, y = _timed(device, lambda: module(x))
    times = [seconds]
    try:
        times.append(
            _timed(device, lambda: grad(y, inputs, v.detach(), retain_graph=True, allow_unused=True))[0]
        )
        # v is a leaf of the graph, so there is one even where the second derivative of f is zero.
        (slope,) = grad(y, (x,), v, create_graph=True)
        seconds, further = _timed(device, lambda: grad(slope, (*inputs, v), u, allow_unused=True))
        if further[-1] is not None:  # A once-differentiable function drops v without a word.
            times.append(seconds)
    except RuntimeError:
        pass
    return times


def _timed(device: torch.device, action: Callable[[], Any]) -> tuple[float, Any]:
    _wait(device)
    start = time.perf_counter()
    result = action()
    _wait(device)
    return time.perf_counter() - start, result


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _kept_bytes(module: nn.Module, x: Tensor) -> int:
    """Return the bytes of the distinct storages that autograd keeps, and of the output."""
    kept: list[Tensor] = []  # Holds them, so that no address is used twice.

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        y = module(x)
    parameters = {p.untyped_storage().data_ptr() for p in module.parameters()}
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in (*kept, y)}
    return sum(size for address, size in storages.items() if address not in parameters)
