"""Networks that gan-lab did not write: unedited, with the activation of choice in every place of one."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from inspect import signature
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from gan_lab.gan.activations import AsWritten
from gan_lab.gan.fidelity import in_place_is_visible, is_bit_equal, originals, refuse_untrue_gradients
from gan_lab.gan.listing import describe_fate, describe_output, is_named, join_names, summarize_calls
from gan_lab.gan.models.layers import check_positive_int
from gan_lab.gan.sites import MODULE, Call, NoActivationError, record
from gan_lab.gan.swapping import (
    AsCalled,
    CallSites,
    Site,
    detach_computed,
    frozen_to_buffers,
    place,
    unchanged_buffers,
    untie,
)
from gan_lab.utils.errors import ConfigurationError, summarize_exception
from gan_lab.utils.seeding import seeded

Activation = Callable[..., nn.Module]
ROWS = 4  # samples of the pass that lists the sites: some layers compare samples in groups of four


class OwnNetwork(nn.Module, ABC):
    """A user's network with one instance of an activation per call site, in place where it was.

    Its weights are under ``network.`` by the names that its author gave them. ``calls`` lists what was seen,
    ``notes`` what people should know. Raises ConfigurationError for what cannot be swapped truly.
    """

    player: str

    def __init__(
        self,
        network: nn.Module | None,
        activation: Activation,
        example: Tensor,
        *,
        output: int | str | None = None,
        keep: str | Sequence[str] | None = None,
        swap: str | Sequence[str] | None = None,
        forward: Mapping[str, Any] | None = None,
        at: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.key = f"model.{self.player}"
        if not isinstance(network, nn.Module):
            raise ConfigurationError(
                f"{self.key}.network must hold the _target_ of your {self.player}, a class or a function "
                f"that returns an nn.Module, got {type(network).__name__}"
            )
        self.network, self.arguments, self.output = network, dict(forward or {}), output
        self.name = type(network).__name__
        self.calls: list[Call] = []
        self.notes: list[str] = []
        self.caught = CallSites([], [])
        if any(t.is_meta for t in (*network.parameters(), *network.buffers())):
            return  # only its size is asked for
        self._as_written = isinstance(activation(), AsWritten) if _plain(activation) else False
        untie(network)
        detach_computed(network)
        frozen_to_buffers(network)
        self._list_calls(example, _names(keep), _names(swap))
        if at and self._as_written:
            raise ConfigurationError(
                f"{self.key}.at puts activations in places of their own, and activation=as_written leaves "
                "all as they are: choose another activation, or leave at out"
            )
        visible = in_place_is_visible(network, self.calls, example, self._run)
        if not is_bit_equal(network, self.calls, example, self._run, in_place=visible):
            raise ConfigurationError(
                f"{self.name} ({self.key}) gives other numbers with its own activations put back: it "
                "cannot be swapped truly"
            )
        make = originals(network) if self._as_written else self._maker(activation, dict(at or {}))
        self.caught = place(self.network, self.calls, make, in_place=visible, leave=self._as_written)
        self._placed = [module for module in self.modules() if isinstance(module, Site)]
        if visible and any(call.in_place and call.action == "swap" for call in self.calls):
            self.notes.append("activations overwrite their input, and a shortcut sees it, as written")

    def _run(self, x: Tensor, network: nn.Module | None = None, caught: CallSites | None = None) -> Tensor:
        """Run a network, by default the one with its activation swapped, and pick its output."""
        own = network is None
        network, caught = (self.network, self.caught) if network is None else (network, caught)
        placed = getattr(self, "_placed", []) if own else []
        for site in placed:
            site.calls = 0
        assert caught is not None
        buffers = unchanged_buffers(network) if own and not self.training else nullcontext()
        with buffers, caught.catching(self.player):
            out = network(x, **self.arguments)
        for site in placed:
            if site.calls != 1:
                name = next(name for name, module in self.named_modules() if module is site)
                raise ConfigurationError(
                    f"{name.removeprefix('network.')} of the {self.player} was called once when its sites "
                    f"were listed, and {site.calls} times now: keep it ({self.key}.keep)"
                )
        return self._select(out)

    def _select(self, out: Any) -> Tensor:
        if self.output is not None:
            try:
                out = out[self.output]
            except (KeyError, IndexError, TypeError) as error:
                raise ConfigurationError(
                    f"{self.key}.output={self.output!r} names no part of what {self.name} returns, "
                    f"{describe_output(out)}"
                ) from error
        if not isinstance(out, Tensor):
            raise ConfigurationError(
                f"{self.name} returns {describe_output(out)}: {self.key}.output must say which part is meant"
            )
        return out

    def _list_calls(self, example: Tensor, keep: list[str], swap: list[str]) -> None:
        """Record one forward pass, and decide what is swapped."""
        paths = {path for path, _ in self.network.named_modules() if path}
        twin = deepcopy(self.network).train()
        listed = None
        with seeded(0, "recording"), torch.enable_grad():
            try:
                whole = [name for name in swap if name in paths and not _is_torch_activation(twin, name)]
                listed = record(twin, example.clone(), self.arguments, self._select, whole)
            except ConfigurationError:
                raise
            except NoActivationError as error:
                calls = record(twin, example.clone(), self.arguments, self._select).calls
                raise ConfigurationError(
                    f"{self.key}.swap {error}; there are {join_names(calls) or 'none'}"
                ) from error
            except (Exception, SystemExit) as error:
                raise ConfigurationError(self._cannot_run(example, error)) from error
        self.calls, result = listed.calls, listed.result
        self._check_result(result, len(example))
        for call in self.calls:
            call.action = "swap" if call.role == "hidden" else "keep"
            if is_named(call, keep):
                call.action = "keep"
            elif is_named(call, swap):
                call.action = "swap"
            elif self._is_stripped(call):
                call.action = "strip"
        for key, names in (("keep", keep), ("swap", swap)):
            for name in names:
                if not any(is_named(call, [name]) for call in self.calls):
                    raise ConfigurationError(
                        f"{self.key}.{key} names {name}, which is no activation in {self.name}; "
                        f"there are {join_names(self.calls)}"
                    )
        refuse_untrue_gradients(twin, self.calls, result, name=self.name, key=self.key)
        if listed.by_hand:
            seen = ", ".join(dict.fromkeys(listed.by_hand))
            self.notes.append(f"may be activations written by hand, which are not seen: {seen}")
        scripted = [path for path, m in twin.named_modules() if isinstance(m, torch.jit.ScriptModule)]
        if scripted:
            self.notes.append(f"scripted, so that nothing inside is seen: {', '.join(scripted)}")
        if self._as_written and not self.calls:
            self.notes.append("no activation was seen in it")
        if not self._as_written and not any(call.action == "swap" for call in self.calls):
            raise ConfigurationError(
                f"no activation to swap in {self.name} ({self.key}): calls of torch's functions (relu, "
                f"leaky_relu, silu, ...) were looked for, and {join_names(self.calls) or 'none'} found; "
                f"name a module that is one with {self.key}.swap, or take activation=as_written for this "
                "network" + "".join(f"; {note}" for note in self.notes)
            )

    def _is_stripped(self, call: Call) -> bool:
        return False

    @abstractmethod
    def _check_result(self, result: Tensor, rows: int) -> None:
        """Raise ConfigurationError if the output for ``rows`` samples has not the shape that is needed."""

    def _cannot_run(self, example: Tensor, error: BaseException) -> str:
        missing = re.search(r"missing \d+ required positional arguments?: (.+)$", str(error))
        if isinstance(error, TypeError) and missing:
            return (
                f"{self.name} needs more than gan-lab gives it, {missing[1]}: give it by "
                f"{self.key}.forward if it is a number; networks that need labels cannot be trained"
            )
        shape = tuple(example.shape[1:])
        return (
            f"{self.name} cannot take inputs of shape {shape} ({self._knobs}): "
            f"{summarize_exception(error, bare=True)}"
        )

    def _maker(self, activation: Activation, at: dict[str, Any]) -> Callable[[Call], nn.Module]:
        own = dict(_flatten(at))
        swapped = [call for call in self.calls if call.action == "swap"]
        for name in own:
            if not any(is_named(call, [name]) for call in swapped):
                raise ConfigurationError(
                    f"{self.key}.at names {name}, where nothing is swapped; "
                    f"swapped are {join_names(swapped) or 'none'}"
                )

        def make(call: Call) -> nn.Module:
            chosen = [factory for name, factory in own.items() if is_named(call, [name])]
            factory = chosen[-1] if chosen else activation
            if getattr(factory, "takes_features", False):
                return factory(num_features=call.num_features)
            return factory()

        return make

    def sites(self) -> dict[str, nn.Module]:
        """Map the name of every place with a hidden activation to the function in it, in the order of use."""
        swapped = iter(self.caught.sites)
        repeated: dict[str, int] = {}
        found: dict[str, nn.Module] = {}
        paths = [call.path for call in self.calls if call.is_module]
        for call in (call for call in self.calls if call.action == "swap"):
            once = call.is_module and paths.count(call.path) == 1
            if once:
                module = self.network.get_submodule(call.path)
            elif call.kind == MODULE:
                module = self.network.get_submodule(call.path).sites[repeated.get(call.path, 0)]  # type: ignore
                repeated[call.path] = repeated.get(call.path, 0) + 1
            else:
                module = next(swapped)
            function = module.activation if isinstance(module, Site) else module
            if not (isinstance(function, AsCalled) and call.has_tensors):
                found[call.name] = function
        return found

    def fate(self, call: Call) -> str:
        """Say what becomes of a call."""
        return describe_fate(call, as_written=self._as_written)

    def summary(self) -> str:
        """Say in one line what is swapped and what is kept."""
        return summarize_calls(self.name, self.calls, self.notes, as_written=self._as_written)


class OwnGenerator(OwnNetwork):
    """Maps latents (B, L) to samples (B, *shape) through a user's network, images in [-1, 1].

    latent_shape: what the network takes, (L,) if None; a sigmoid at the end is mapped to [-1, 1] for images.
    """

    player = "generator"
    _knobs = "model.latent_size, model.generator.latent_shape"

    def __init__(
        self,
        latent_size: int,
        shape: tuple[int, ...],
        activation: Activation,
        network: nn.Module | None = None,
        latent_shape: Sequence[int] | None = None,
        **options: Any,
    ) -> None:
        check_positive_int(latent_size=latent_size)
        self_shape = tuple(latent_shape or (latent_size,))
        if prod(self_shape) != latent_size:
            raise ConfigurationError(
                f"model.generator.latent_shape must hold model.latent_size={latent_size} numbers, "
                f"got {list(self_shape)}"
            )
        self.shape, self.latent_shape, self.unit_range = tuple(shape), self_shape, False
        super().__init__(network, activation, _example(*self_shape), **options)
        last = [call for call in self.calls if call.last and call.kind in ("sigmoid", "hardsigmoid")]
        self.unit_range = bool(last) and len(self.shape) == 3
        if self.unit_range:
            self.notes.append("its range [0, 1] is mapped to [-1, 1]")

    def forward(self, latent: Tensor) -> Tensor:
        samples = self._run(latent.view(len(latent), *self.latent_shape)).reshape(len(latent), *self.shape)
        return 2 * samples - 1 if self.unit_range else samples

    def _check_result(self, result: Tensor, rows: int) -> None:
        made = tuple(result.shape[1:])
        if len(result) != rows or prod(made) != prod(self.shape):
            size = f"dataset.size={made[-1]}" if len(made) == 3 else "dataset.size"
            raise ConfigurationError(
                f"{self.name} makes samples of shape {made}, and those of the data are {self.shape}: "
                f"choose other data or another size ({size}), or other arguments of model.generator.network"
                + _further_arguments(self.network, self.key)
            )


class OwnDiscriminator(OwnNetwork):
    """Maps samples (B, *shape) to logits (B / packing,) through a user's network.

    A sigmoid at the end is left out: the losses take logits, which are exact.
    """

    player = "discriminator"
    _knobs = "dataset.size, model.discriminator.network"

    def __init__(
        self,
        shape: tuple[int, ...],
        activation: Activation,
        network: nn.Module | None = None,
        packing: int = 1,
        **options: Any,
    ) -> None:
        check_positive_int(packing=packing)
        self.packing = packing
        super().__init__(network, activation, _example(*shape, rows=ROWS * packing), **options)
        through = [c for c in self.calls if c.role == "output" and c.kind == "sigmoid" and c.action == "keep"]
        self.notes += [f"its output comes through {call.name} and is taken for a logit" for call in through]

    def forward(self, samples: Tensor) -> Tensor:
        return self._run(samples).reshape(len(samples) // self.packing)

    def _is_stripped(self, call: Call) -> bool:
        return call.role == "output" and call.last and call.kind == "sigmoid"

    def _check_result(self, result: Tensor, rows: int) -> None:
        if result.numel() != rows // self.packing:
            each = (
                "per sample"
                if self.packing == 1
                else f"for {self.packing} samples, as model.discriminator.packing={self.packing} says"
            )
            raise ConfigurationError(
                f"{self.name} makes {tuple(result.shape)} of {rows} samples, and must make one number {each} "
                "(model.discriminator.output picks a part)"
            )


def _example(*shape: int, rows: int = ROWS) -> Tensor:
    with seeded(0, "recorded inputs"):
        return torch.randn(rows, *shape).clamp(-1, 1)


def _further_arguments(network: nn.Module, key: str) -> str:
    """Name what a network's forward takes beside its input, which ``forward`` gives it."""
    names = list(signature(network.forward).parameters)[1:]
    return f", or of its forward ({key}.forward: {', '.join(names)})" if names else ""


def _names(given: str | Sequence[str] | None) -> list[str]:
    return [given] if isinstance(given, str) else list(given or ())


def _plain(activation: Activation) -> bool:
    return not getattr(activation, "takes_features", False)


def _is_torch_activation(network: nn.Module, path: str) -> bool:
    return type(network.get_submodule(path)).__module__ == "torch.nn.modules.activation"


def _flatten(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for key, inside in value.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        pairs += _flatten(inside, name) if isinstance(inside, Mapping) else [(name, inside)]
    return pairs
