"""A step whose losses and gradients are one compiled function, without a Python call per operation.

On a CPU most of a small network's step is memory that is written by one operation and read by the next; the
compiler joins them. The turn is traced as it is (`make_fx` over `torch.func.grad`, stacked by
`torch.func.vmap`), and the flat list of operations is compiled: that takes a third of the time that it takes
to read the Python itself. On a CPU it becomes a library, which later processes load as it is.
"""

import logging
import math
import os
import shutil
import sys
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap
from torch.fx import GraphModule

from gan_lab.gan.steps import LOSSES, Batch, Scalars
from gan_lab.training.engines.base import SeedGroup
from gan_lab.training.engines.compile_cache import remove_broken, remove_unloadable, use_own_cache
from gan_lab.training.engines.compiled_library import find_library, library_digest, make_library
from gan_lab.training.engines.decompositions import decompositions
from gan_lab.training.engines.execution import Step
from gan_lab.training.engines.optimizers import Gradients
from gan_lab.utils.errors import summarize_exception

_log = logging.getLogger(__name__)

Tensors = Sequence[Tensor]
# Distance of gradients, buffers and scalars from the eager ones, over their size: rounding, and no more.
# Seldom rounding puts a unit of ReLU on the other side of 0 (a DCGAN's generator was 0.0027 away): then it is
# eager, too.
TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 1e-1}
NOTHING = 1e-6  # a distance that counts as none, such as that of gradients that are 0


@dataclass(frozen=True)
class CompiledTurn:
    """What computes a turn from flat tensors, and where things are in what it returns.

    has_gradient: of each of the player's parameters, whether its loss depends on it; scalars: their names.
    """

    call: Callable[..., Tensors]
    has_gradient: Sequence[bool]
    scalars: Sequence[str]


class Compiled:
    """The `Execution` of compiled turns: groups of the same shapes share one.

    backend: of `torch.compile`; failed: whether a turn did not compile, which is then eager.
    """

    backend = "inductor"

    def __init__(self, device: torch.device) -> None:
        self.failed = False
        self._turns: dict[Hashable, CompiledTurn] = {}

    @property
    def name(self) -> str:
        return "eager" if self.failed else "compiled"

    def step(self, group: SeedGroup, player: str) -> "CompiledStep":
        return CompiledStep(group, player, self)

    def prepare(self, step: Step, batch: Batch) -> None:
        assert isinstance(step, CompiledStep)
        step.prepare(batch)

    def turn(self, group: SeedGroup, player: str, batch: Batch) -> CompiledTurn | None:
        """Compile a turn, unless it is there already; None, and a sentence in the log, if that fails."""
        key = (player, *((tuple(x.shape), x.stride()) for x in _inputs(group, player, batch)))
        if key not in self._turns and not self.failed:
            try:
                self._turns[key] = self._compile_again_if_unloadable(group, player, batch)
            except Exception as error:  # of the compiler, or of a network that cannot be traced
                self.failed = True
                reason = summarize_exception(error, bare=True)
                _log.warning("execution=compiled: a step cannot be compiled, so it is eager: %s", reason)
        return self._turns.get(key)

    def _compile_again_if_unloadable(self, group: SeedGroup, player: str, batch: Batch) -> CompiledTurn:
        """Compile, without what cannot be loaded of what was compiled before."""
        if group.config.draws:
            raise RuntimeError("networks, losses or optimizers draw random numbers")
        if self.backend != "inductor":
            return self._compile(group, player, batch)
        folder = use_own_cache()
        try:
            return self._compile(group, player, batch)
        except Exception as error:
            broken = remove_unloadable(error, folder) if folder is not None else None
            if broken is None:
                raise
            _log.info("compiled again, as this could not be loaded: %s", broken)
            torch.compiler.reset()
        return self._compile(group, player, batch)

    def _compile(self, group: SeedGroup, player: str, batch: Batch) -> CompiledTurn:
        """Compile and compare with the eager turn of a copy. Raises RuntimeError if there is a difference."""
        from torch.fx.experimental.proxy_tensor import make_fx

        inputs, names = _inputs(group, player, batch), list[str]()
        with torch.no_grad(), group.config.autocast():
            # Without values: what depends on one cannot be traced, and is not written down as it was.
            trace = make_fx(
                _flat_turn(group, player, names),
                decomposition_table=decompositions(group.config.device),
                tracing_mode="fake",
                _allow_non_fake_inputs=True,
            )
            traced = trace(*inputs)
        call = self._callable(traced, inputs, group.config.device)
        twin = type(group)(group.config, group.states())
        gradients, scalars = twin.gradients(player, batch)
        turn = CompiledTurn(call, [gradient is not None for gradient in gradients], list(scalars))
        if names != turn.scalars:
            raise RuntimeError("its scalars have other names each time")
        our_gradients, our_buffers, our_scalars = _outputs(group, turn, player, batch)
        # A network may hold other tensors in their place by now, which a compiled turn cannot bring about.
        buffers = {name: twin.networks().get(name, buffer) for name, buffer in twin.buffers.items()}
        for what, ours, theirs in (
            ("gradients", our_gradients, gradients),
            ("buffers", list(our_buffers.values()), list(buffers.values())),
            ("scalars", list(our_scalars.values()), list(scalars.values())),
        ):
            if not _are_close(ours, theirs, TOLERANCE[group.config.precision]):
                raise RuntimeError(f"its {what} are others than those of the eager step")
        return turn

    def _callable(
        self, traced: GraphModule, inputs: Sequence[Tensor], device: torch.device
    ) -> Callable[..., Tensors]:
        """Return what calls a traced turn: on a CPU a library, and otherwise what `torch.compile` makes."""
        if self.backend == "inductor":
            if device.type == "cpu":
                digest = library_digest(traced, inputs)
                if (found := find_library(digest)) is not None:
                    return found
            _require_compiler(device)
            if device.type == "cpu":
                try:
                    return make_library(traced, inputs, digest)
                except Exception as error:  # what is made of it may change from one PyTorch to the next
                    _log.info("no library can be made: %s", summarize_exception(error, bare=True))
            if (folder := use_own_cache()) is not None and not self._turns:  # once for both networks
                remove_broken(folder)
        compiled: Callable[..., Tensors] = torch.compile(
            traced, fullgraph=True, dynamic=False, backend=self.backend
        )
        return compiled


class CompiledStep:
    """Takes a step with a compiled turn; eagerly if that cannot be compiled."""

    def __init__(self, group: SeedGroup, player: str, compiled: Compiled) -> None:
        self.group, self.player, self.compiled = group, player, compiled
        self.turn: CompiledTurn | None = None

    def prepare(self, batch: Batch) -> None:
        self.turn = self.compiled.turn(self.group, self.player, batch)

    def __call__(self, batch: Batch) -> Scalars:
        if self.turn is None:
            self.prepare(batch)
        if self.turn is None:
            return self.group.update(self.player, batch)
        gradients, buffers, scalars = _outputs(self.group, self.turn, self.player, batch)
        if buffers:
            torch._foreach_copy_(list(self.group.buffers.values()), list(buffers.values()))
        self.group.descend(self.player, gradients)
        return scalars


def _flat_turn(group: SeedGroup, player: str, names: list[str]) -> Callable[..., list[Tensor]]:
    """Return the turn as a pure function of `_inputs`: gradients, buffers afterwards, scalars.

    names: gets the names of the scalars when the function is called.
    """
    own, others, buffers = _named_inputs(group, player)
    gan, gan_loss, loss_fn = group.gan, group.config.gan_loss, LOSSES[player]

    def loss_of_one(
        params: dict[str, Tensor], others: dict[str, Tensor], buffers: dict[str, Tensor], batch: Batch
    ) -> tuple[Tensor, tuple[dict[str, Tensor], Scalars]]:
        buffers = {name: buffer.clone() for name, buffer in buffers.items()}
        loss, scalars = functional_call(gan, (params | others, buffers), (loss_fn, gan_loss, batch))
        return loss, (buffers, scalars)

    turn: Callable[..., Any] = grad(loss_of_one, has_aux=True)
    if group.stacked:
        turn = vmap(turn, randomness="error")

    def flat(*tensors: Tensor) -> list[Tensor]:
        remaining = iter(tensors)
        parts = [{name: next(remaining) for name in part} for part in (own, others, buffers)]
        gradients, (moved, scalars) = turn(*parts, Batch(*remaining))
        names[:] = list(scalars)
        return [*gradients.values(), *moved.values(), *scalars.values()]

    return flat


def _named_inputs(group: SeedGroup, player: str) -> tuple[dict[str, Tensor], ...]:
    """Parameters of the player, those of the other one, and buffers of both."""
    own = group.params_of[player]
    others = {name: param for name, param in group.params.items() if name not in own}
    return dict(own), others, group.buffers


def _inputs(group: SeedGroup, player: str, batch: Batch) -> list[Tensor]:
    # Contiguous, as what a turn is compiled for includes how its inputs lie in memory.
    parts = [(part if group.stacked else part[0]).contiguous() for part in batch]
    return [*(tensor for part in _named_inputs(group, player) for tensor in part.values()), *parts]


@torch.no_grad()
def _outputs(
    group: SeedGroup, turn: CompiledTurn, player: str, batch: Batch
) -> tuple[Gradients, dict[str, Tensor], Scalars]:
    """Compute gradients, buffers as they are after the turn, and scalars (n,)."""
    outputs = iter(turn.call(*_inputs(group, player, batch)))
    gradients = [next(outputs) if there else (next(outputs), None)[1] for there in turn.has_gradient]
    buffers = {name: next(outputs) for name in group.buffers}
    values = (value if group.stacked else value[None] for value in outputs)
    scalars = dict(zip(turn.scalars, values, strict=True))
    return gradients, buffers, scalars


def _are_close(ours: Gradients, theirs: Gradients, tolerance: float) -> bool:
    """Whether two lists of tensors are the same to rounding, taken together."""
    distance = size = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if a is not None and b is not None:
            distance += float((a.double() - b.double()).nan_to_num().square().sum())
            size += float(b.double().nan_to_num().square().sum())
    return math.sqrt(distance) <= tolerance * math.sqrt(size) + NOTHING


def _require_compiler(device: torch.device) -> None:
    """Raise RuntimeError where PyTorch's compiler lacks the C++ compiler that it needs on a CPU."""
    name = cpp_compiler()
    if device.type == "cpu" and shutil.which(name) is None:
        raise RuntimeError(f"there is no C++ compiler here ({name}; the variable CXX names another one)")
    # Neither the processes that compile for GPUs, nor a word about GPUs that are not there.
    os.environ.setdefault("TORCH_WARM_POOL", "0")
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)


def cpp_compiler() -> str:
    """Return the command that PyTorch compiles with on a CPU."""
    return os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
