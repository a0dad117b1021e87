"""Activations in a configuration: what makes an instance for each place in a network."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import torch
from hydra.utils import instantiate
from torch import nn

from gan_lab.utils.checks import refusal
from gan_lab.utils.errors import ConfigurationError


class ActivationFactory:
    """Makes an instance of an activation for a place with a known number of features, at each call.

    takes_features: whether the number is asked for, as by a class with ``num_features`` or by per=channel.
    """

    def __init__(self, make: Callable[..., Any], features: str | None, *, function: bool) -> None:
        self.make, self.features, self.function = make, features, function

    @property
    def takes_features(self) -> bool:
        return self.features is not None

    def __call__(self, num_features: int | None = None) -> nn.Module:
        if self.function:
            return FunctionActivation(self.make)
        if self.features is None:
            return self.make()  # type: ignore[no-any-return]
        if num_features is None:
            raise ConfigurationError(
                "activation takes the number of features, which this model does not tell: use "
                "model=own, or call activation(num_features=...) in a model of your own"
            )
        return self.make(**{self.features: num_features})  # type: ignore[no-any-return]


class FunctionActivation(nn.Module):
    """A plain function as an activation."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def activation_nodes(arguments: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield (parent, key) of every activation among a network's arguments, also those at given places."""
    if isinstance(arguments.get("activation"), dict):
        yield arguments, "activation"
    if isinstance(arguments.get("at"), dict):
        stack = [arguments["at"]]
        while stack:
            parent = stack.pop()
            for name, inside in list(parent.items()):
                if isinstance(inside, dict) and "_target_" in inside:
                    yield parent, name
                elif isinstance(inside, dict):
                    stack.append(inside)


def activation_factory(node: dict[str, Any]) -> Any:
    """Return what makes instances of an activation: a partial, or what tells it the number of features."""
    node = dict(node)
    function, per = bool(node.pop("_partial_", False)), node.pop("per", None)
    make = instantiate({**node, "_partial_": True}, _convert_="all")
    names: Any = ()
    with suppress(TypeError, ValueError):
        names = inspect.signature(make.func).parameters
    if per not in (None, "channel"):
        raise refusal("activation.per", per, "null or channel")
    if function:
        if per is not None:
            raise ConfigurationError("activation.per is for classes, and this activation is a function")
        return ActivationFactory(make, None, function=True)
    if "num_features" in names and "num_features" not in node:
        return ActivationFactory(make, "num_features", function=False)
    if per == "channel":
        if "num_parameters" not in names:
            raise ConfigurationError(
                f"activation.per=channel needs an activation that takes num_features or num_parameters, and "
                f"{node['_target_']} does not"
            )
        return ActivationFactory(make, "num_parameters", function=False)
    return make
