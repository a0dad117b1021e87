"""Put one activation into every place where a network that somebody else wrote has one.

A module that is called once per forward pass is replaced. Every other call is caught while the network
computes, and goes to an instance of its own. In place stays in place: it decides what a shortcut sees.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gan_lab.gan.sites import MODULE, Call, kind_of, out_of_place
from gan_lab.utils.errors import ConfigurationError

Make = Callable[[Call], nn.Module]


class AsCalled(nn.Module):
    """An activation function of torch with the arguments that the network gave it, out of place."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        functional = torch.nn.functional
        self.function = getattr(functional, call.kind, None) or getattr(torch, call.kind)
        self.args, self.kwargs = call.arguments

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if not (args or kwargs):
            args, kwargs = self.args, self.kwargs
        out: Tensor = self.function(x, *args, **kwargs)
        return out


class Site(nn.Module):
    """A place of an activation f; in_place: x becomes f(x) for everybody who holds it, as written."""

    def __init__(self, activation: nn.Module, in_place: bool) -> None:
        super().__init__()
        self.activation = activation
        self.in_place = in_place
        self.calls = 0

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        self.calls += 1
        beside = (args, kwargs) if isinstance(self.activation, AsCalled) else ((), {})
        # What f calls is its own affair, and no call of the network.
        with torch._C.DisableTorchFunction():
            y: Tensor = self.activation(x.clone() if self.in_place else x, *beside[0], **beside[1])
            return x.copy_(y) if self.in_place else y


class InTurn(nn.Module):
    """The sites of a module that is called several times in a forward pass, one for each call."""

    def __init__(self, sites: Sequence[Site]) -> None:
        super().__init__()
        self.sites = nn.ModuleList(sites)

    def forward(self, x: Tensor) -> Tensor:
        for site in self.sites:
            if not site.calls:
                out: Tensor = site(x)
                return out
        out = self.sites[-1](x)  # one call too many, which is counted
        return out


class Stripped(nn.Module):
    """What stands for a final sigmoid: logits are exact."""

    def forward(self, x: Tensor) -> Tensor:
        return x


class CallSites(nn.Module):
    """The calls of a network that are caught: at every forward pass as many, of the same kinds.

    expected: all calls but those inside modules that were replaced; sites: one for each of them that is
    swapped, in their order.
    """

    def __init__(self, expected: Sequence[Call], sites: Sequence[Site]) -> None:
        super().__init__()
        self.expected = list(expected)
        self.sites = nn.ModuleList(sites)

    def catching(self, network: str) -> AbstractContextManager[object]:
        if all(call.action == "keep" for call in self.expected):
            return nullcontext()
        swapped = iter(self.sites)
        sites = [next(swapped) if call.action == "swap" else None for call in self.expected]
        return _Catching(network, self.expected, sites)


class _Catching(TorchFunctionMode):
    def __init__(self, network: str, expected: Sequence[Call], sites: Sequence[nn.Module | None]) -> None:
        super().__init__()
        self.network, self.expected, self.sites = network, expected, sites
        self.index = 0

    def __exit__(self, kind: Any, *rest: Any) -> None:
        super().__exit__(kind, *rest)  # type: ignore[no-untyped-call]
        if kind is None and self.index != len(self.expected):
            missing = self.expected[self.index].name
            raise _differs(self.network, f"{self.index} calls", f"{len(self.expected)}: {missing} is missing")

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        kind = kind_of(func)
        if kind is None:
            return func(*args, **kwargs)
        call = self.expected[self.index] if self.index < len(self.expected) else None
        if call is None or call.kind != kind:
            due = "no more" if call is None else f"{call.kind} ({call.name})"
            raise _differs(self.network, f"{kind} as call {self.index + 1}", due)
        site = self.sites[self.index]
        self.index += 1
        if call.action == "keep":
            return func(*args, **kwargs)
        x = args[0] if args else kwargs["input"]
        if site is None:
            return x
        beside = out_of_place(args[1:], kwargs, call.in_place)
        return site(x, *beside[0], **beside[1])


def _differs(network: str, seen: str, expected: str) -> ConfigurationError:
    return ConfigurationError(
        f"the {network} does not call its activations as it did when they were listed: saw {seen}, "
        f"expected {expected}; keep what changes (model.{network}.keep), or swap its module as a whole "
        f"(model.{network}.swap)"
    )


def untie(network: nn.Module) -> None:
    """Give every path to one of torch's activations an instance of its own, with the same parameters.

    An author who makes one ``nn.ReLU()`` for a whole network, perhaps as a default argument, means one
    function, not one place.
    """
    seen: set[int] = set()
    for path, module in list(network.named_modules(remove_duplicate=False)):
        if type(module).__module__ != "torch.nn.modules.activation" or any(module.children()) or not path:
            continue
        if id(module) in seen:
            twin = copy(module)
            twin._parameters = dict(module._parameters)
            set_module(network, path, twin)
        seen.add(id(module))


def detach_computed(network: nn.Module) -> None:
    """Detach tensors that modules have computed from their parameters: torch copies no others.

    The hooks of torch's older weight_norm do this before the first forward pass, and again at each one.
    """
    for module in network.modules():
        for name, value in list(vars(module).items()):
            if isinstance(value, Tensor) and not value.is_leaf:
                setattr(module, name, value.detach())


def frozen_to_buffers(network: nn.Module) -> None:
    """Make buffers of parameters that ask for no gradient: they are state, and no optimizer moves them."""
    for module in network.modules():
        for name, value in list(module._parameters.items()):
            if value is not None and not value.requires_grad:
                del module._parameters[name]
                module.register_buffer(name, value.detach())


@contextmanager
def unchanged_buffers(network: nn.Module) -> Iterator[None]:
    """Undo what a forward pass does to buffers: some networks change them in evaluation mode, too."""
    before = [
        (module, name, value, value.detach().clone())
        for module in network.modules()
        for name, value in module._buffers.items()
        if value is not None
    ]
    try:
        yield
    finally:
        with torch.no_grad():
            for module, name, value, content in before:
                module._buffers[name] = value
                value.copy_(content)


def place(
    network: nn.Module, calls: Sequence[Call], make: Make, *, in_place: bool, leave: bool = False
) -> CallSites:
    """Put what ``make`` makes into every place whose action is swap; return the calls that are caught.

    in_place: whether sites that overwrite their input go on doing so; leave: leave modules that are called
    once where they are, as they are.
    """
    paths = [call.path for call in calls if call.is_module]
    caught: list[Call] = []
    sites: list[Site] = []
    repeated: dict[str, list[Site]] = {}
    for call in calls:
        once = call.is_module and paths.count(call.path) == 1
        overwrites = call.in_place and in_place
        if leave and once and call.action == "swap" and not overwrites and call.kind != MODULE:
            module = network.get_submodule(call.path)
            if call.in_place:
                module.inplace = False  # type: ignore[assignment]
            call = replace(call, action="keep")
        if call.action == "swap":
            site = Site(make(call), overwrites)
            if call.kind == MODULE and not once:
                repeated.setdefault(call.path, []).append(site)
            elif once:
                set_module(network, call.path, site)
            else:
                sites.append(site)
        elif call.action == "strip" and once:
            set_module(network, call.path, Stripped())
        if call.kind != MODULE and (call.action == "keep" or not once):
            caught.append(call)
    for path, own in repeated.items():
        set_module(network, path, InTurn(own))
    return CallSites(caught, sites)


def set_module(network: nn.Module, path: str, module: nn.Module) -> None:
    """Put a module at a path of a network."""
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, module)
