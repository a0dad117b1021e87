"""Checks that a network whose activations are swapped is otherwise the one that its author wrote."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gan_lab.gan.sites import KINDS, MODULE, Call
from gan_lab.gan.swapping import AsCalled, CallSites, place
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.seeding import seeded

# Runs a network on inputs, catches some of its calls, and picks its output.
Run = Callable[[Tensor, nn.Module, CallSites], Tensor]
# What torch computes for functions that are no operation of their own.
_COMPOSED = {
    "elu": ("selu", "celu"),
    "hardtanh": ("relu6",),
    "_prelu_kernel": ("prelu",),
    "rrelu_with_noise": ("rrelu",),
    "log_sigmoid_forward": ("logsigmoid",),
}


def originals(network: nn.Module) -> Callable[[Call], nn.Module]:
    """Return what makes a function of a call: the one that the author wrote."""
    modules = dict(network.named_modules())
    return lambda call: modules[call.path] if call.kind == MODULE else AsCalled(call)


def in_place_is_visible(network: nn.Module, calls: Sequence[Call], example: Tensor, run: Run) -> bool:
    """Whether it makes a difference that sites overwrite their input, for a function that is not ReLU."""
    if not any(call.in_place and call.action == "swap" for call in calls):
        return False
    outputs = []
    for in_place in (True, False):
        twin = deepcopy(network).train()
        caught = place(twin, calls, lambda call: _Wave(), in_place=in_place)
        with seeded(0, "recording"), torch.no_grad():
            outputs.append(run(example.clone(), twin, caught))
    return not torch.equal(*outputs)


def is_bit_equal(
    network: nn.Module, calls: Sequence[Call], example: Tensor, run: Run, *, in_place: bool
) -> bool:
    """Whether outputs and gradients are the same bits with the network's own functions put in all places."""
    results = []
    for swapped in (False, True):
        twin, caught = deepcopy(network).train(), CallSites([], [])
        if swapped:
            kept = [replace(c, action="keep") if c.action == "strip" else c for c in calls]
            caught = place(twin, kept, originals(twin), in_place=in_place, leave=True)
        x = example.clone().requires_grad_()
        with seeded(0, "recording"), torch.enable_grad():
            out = run(x.clone(), twin, caught)
            weights = torch.linspace(-1, 2, out.numel()).view_as(out)
            wanted = [x, *(p for p in twin.parameters() if p.requires_grad)]
            results.append([out, *torch.autograd.grad((weights * out).sum(), wanted, allow_unused=True)])
    return all(_same(ours, theirs) for ours, theirs in zip(*results, strict=True))


def refuse_untrue_gradients(
    twin: nn.Module, calls: Sequence[Call], result: Tensor, *, name: str, key: str
) -> None:
    """Raise ConfigurationError for calls whose gradient would not be that of what is put there.

    Gradients are off inside an `autograd.Function`, and what a checkpoint computes a second time in the
    backward pass is not caught then; a module that was replaced is right there, too.

    twin: the network whose forward pass made ``result``; name, key: of the network, for the sentence.
    """
    again = _Kinds()
    entered: set[str] = set()
    for call in (call for call in calls if call.kind == MODULE):
        module = twin.get_submodule(call.path)
        module.register_forward_pre_hook(lambda *_, path=call.path: entered.add(path))
    parameters = [p for p in twin.parameters() if p.requires_grad]
    if result.requires_grad and parameters:
        with torch.enable_grad(), again:
            torch.autograd.grad(result.sum(), parameters, allow_unused=True)
    paths = [call.path for call in calls]
    for call in calls:
        once = call.is_module and paths.count(call.path) == 1
        if call.action == "keep" or (once and (call.grad or again.kinds)):
            continue
        place_of_call = call.name + (f" ({call.where})" if call.where else "")
        if not call.grad:
            raise ConfigurationError(
                f"{place_of_call} of {name} is computed with gradients off, as inside an "
                f"autograd.Function, which has its own gradient: keep it ({key}.keep), or swap the "
                f"module around it as a whole ({key}.swap)"
            )
        if call.kind in again.kinds or call.path in entered:
            raise ConfigurationError(
                f"{place_of_call} of {name} is computed a second time in the backward pass, as in a "
                f"checkpoint, where it cannot be swapped: switch checkpoints off, or keep it ({key}.keep)"
            )


class _Wave(nn.Module):
    """A function that gives other numbers when it is applied twice."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sin() + 0.1


class _Kinds(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects which activation functions are computed, also in a backward pass."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kinds: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name.partition("::")[2].rstrip("_")
        self.kinds.update({name} & KINDS, _COMPOSED.get(name, ()))
        return func(*args, **(kwargs or {}))


def _same(ours: Tensor | None, theirs: Tensor | None) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return torch.equal(ours.nan_to_num(), theirs.nan_to_num()) and torch.equal(ours.isnan(), theirs.isnan())
