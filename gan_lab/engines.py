"""The seam between one seed and many: engines play the same turns for all seeds of a run.

An engine owns the networks, optimizers and averaged generators of its seeds, and plays one turn for all of
them on tensors with a leading dimension S. `SideBySide` gives each seed its own modules and plays them in
turn; with one seed that is the plain training step. `Stacked` keeps one module and stacks everybody's
parameters, so that every kernel works for all seeds (`torch.func.vmap`). Both give the same numbers to
rounding, and both are built from, and return, the same `Member`s: nothing else knows which one runs.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Optimizer

from gan_lab.adversarial import Batch, Game, Numbers, Turn, discriminator_turn, generator_turn
from gan_lab.errors import ConfigurationError

OptimizerFactory = Callable[[Iterable[Tensor]], Optimizer]
PLAYERS = ("generator", "discriminator")


class Pair(nn.Module):
    """One generator and its discriminator; calling it plays a turn with whatever state it holds."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator

    def forward(self, turn: Turn, game: Game, batch: Batch) -> tuple[Tensor, Numbers]:
        return turn(self.generator, self.discriminator, game, batch)


@dataclass
class Member:
    """Everything that one seed has learned, in a form that no engine owns.

    networks: state dict of its `Pair`; optimizers: parameter name -> that parameter's optimizer state;
    average: state dict of the averaged generator, empty where none is kept.
    """

    seed: int
    networks: dict[str, Tensor]
    optimizers: dict[str, dict[str, Any]] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)

    @property
    def generator(self) -> dict[str, Tensor]:
        """State dict of the generator to sample from: the averaged one where there is one."""
        own = {n[10:]: t for n, t in self.networks.items() if n.startswith("generator.")}
        return self.average or own


@dataclass(frozen=True)
class Setup:
    """What all members share. ``ema``: decay of the averaged generator per step, None for no average."""

    template: Pair
    game: Game
    optimizers: Mapping[str, OptimizerFactory]
    device: torch.device
    precision: torch.dtype = torch.float32
    ema: float | None = None

    def __post_init__(self) -> None:
        if self.precision != torch.float32:
            # Statistics in full precision, as their buffers are: vmap's batch norm takes no mixture.
            for module in self.template.modules():
                if isinstance(module, nn.modules.batchnorm._NormBase):
                    module.register_forward_pre_hook(_in_full_precision)

    def autocast(self) -> AbstractContextManager[Any]:
        if self.precision == torch.float32:
            return nullcontext()
        # Without the cache: under vmap one weight is seen through several wrappers.
        return torch.autocast(self.device.type, self.precision, cache_enabled=False)


class Engine(ABC):
    """Seeds in training. Batches, numbers and samples have a leading dimension S, ordered as `seeds`."""

    def __init__(self, setup: Setup, members: Sequence[Member]) -> None:
        self.setup = setup
        self.seeds = [member.seed for member in members]

    def discriminator_step(self, batch: Batch) -> Numbers:
        return self.play("discriminator", discriminator_turn, batch)

    def generator_step(self, batch: Batch) -> Numbers:
        numbers = self.play("generator", generator_turn, batch)
        if self.setup.ema is not None:
            self.update_averages(self.setup.ema)
        return numbers

    @abstractmethod
    def play(self, player: str, turn: Turn, batch: Batch) -> Numbers:
        """One turn and one optimizer step of ``player`` for every seed; numbers are (S,)."""

    @abstractmethod
    def update_averages(self, decay: float) -> None: ...

    @abstractmethod
    def generate(self, latent: Tensor) -> Tensor:
        """(S, N, L) -> (S, N, *shape) float32, in evaluation mode, averaged where an average is kept."""

    @abstractmethod
    def members(self) -> list[Member]:
        """Copies of everybody's state, on the training device."""

    @abstractmethod
    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Parameter name -> (value, last gradient) of one member, not copied."""

    def keep(self, members: Sequence[Member]) -> "Engine":
        """An engine of the same kind that goes on with these members only."""
        return type(self)(self.setup, members)


class SideBySide(Engine):
    """One pair of modules a seed, played one after the other."""

    def __init__(self, setup: Setup, members: Sequence[Member]) -> None:
        super().__init__(setup, members)
        self.pairs = [self._pair(member) for member in members]
        self.parameters = [_by_player(dict(pair.named_parameters())) for pair in self.pairs]
        self.optimizers = [
            {player: setup.optimizers[player](own[player].values()) for player in PLAYERS}
            for own in self.parameters
        ]
        for member, own, optimizers in zip(members, self.parameters, self.optimizers, strict=True):
            for player in PLAYERS:
                _restore(optimizers[player], own[player], [member], stacked=False)
        self.averages = [
            {name: tensor.clone() for name, tensor in member.generator.items()}
            if setup.ema is not None
            else {}
            for member in members
        ]

    def _pair(self, member: Member) -> Pair:
        pair = deepcopy(self.setup.template)
        pair.load_state_dict(member.networks)
        pair.to(self.setup.device)
        if has_convolutions(pair):
            pair.to(memory_format=torch.channels_last)
        return pair.train()

    def play(self, player: str, turn: Turn, batch: Batch) -> Numbers:
        numbers = []
        for k, pair in enumerate(self.pairs):
            with self.setup.autocast():
                loss, seen = pair(turn, self.setup.game, Batch(*(part[k] for part in batch)))
            descend(loss, self.parameters[k][player].values(), self.optimizers[k][player])
            numbers.append(seen)
        return {name: torch.stack([seen[name] for seen in numbers]) for name in numbers[0]}

    def update_averages(self, decay: float) -> None:
        for pair, average in zip(self.pairs, self.averages, strict=True):
            _average(average, pair.generator.state_dict(), self._learned, decay)

    @property
    def _learned(self) -> set[str]:
        return {name for name, _ in self.setup.template.generator.named_parameters()}

    @torch.no_grad()
    def generate(self, latent: Tensor) -> Tensor:
        samples = []
        for pair, average, z in zip(self.pairs, self.averages, latent, strict=True):
            pair.generator.eval()
            samples.append(functional_call(pair.generator, average, (z,)).float())
            pair.generator.train()
        return torch.stack(samples)

    def members(self) -> list[Member]:
        return [
            Member(
                seed,
                _copy(pair.state_dict()),
                {
                    name: state
                    for player in PLAYERS
                    for name, state in _saved(optimizers[player], own[player]).items()
                },
                _copy(average),
            )
            for seed, pair, own, optimizers, average in zip(
                self.seeds, self.pairs, self.parameters, self.optimizers, self.averages, strict=True
            )
        ]

    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        return {n: (p.detach(), p.grad) for n, p in self.pairs[index].named_parameters()}


class Stacked(Engine):
    """One module, everybody's parameters and buffers stacked along a first dimension S."""

    def __init__(self, setup: Setup, members: Sequence[Member]) -> None:
        super().__init__(setup, members)
        pairs = [deepcopy(setup.template) for _ in members]
        for pair, member in zip(pairs, members, strict=True):
            pair.load_state_dict(member.networks)
            pair.to(setup.device)
        self.pair = pairs[0].train()
        self.state, self.buffers = stack_module_state(pairs)
        self.parameters = _by_player(self.state)
        self.optimizers = {
            player: setup.optimizers[player](self.parameters[player].values()) for player in PLAYERS
        }
        for player in PLAYERS:
            _restore(self.optimizers[player], self.parameters[player], members, stacked=True)
        averages = [member.generator for member in members] if setup.ema is not None else [{}]
        self.averages = {n: torch.stack([a[n] for a in averages]) for n in averages[0]}

    def play(self, player: str, turn: Turn, batch: Batch) -> Numbers:
        def alone(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], batch: Batch
        ) -> tuple[Tensor, Numbers]:
            played: tuple[Tensor, Numbers] = functional_call(
                self.pair, (parameters, buffers), (turn, self.setup.game, batch)
            )
            return played

        with self.setup.autocast():
            losses, numbers = vmap(alone, randomness="different")(self.state, self.buffers, batch)
        # Seeds share no parameter, so the gradient of the sum is everybody's own gradient.
        descend(losses.sum(), self.parameters[player].values(), self.optimizers[player])
        return numbers

    def update_averages(self, decay: float) -> None:
        generator = _generator(self.state | self.buffers)
        _average(self.averages, generator, set(_generator(self.state)), decay)

    @torch.no_grad()
    def generate(self, latent: Tensor) -> Tensor:
        generator = self.pair.generator.eval()

        def alone(state: dict[str, Tensor], z: Tensor) -> Tensor:
            samples: Tensor = functional_call(generator, state, (z,))
            return samples.float()

        state = self.averages or _generator(self.state | self.buffers)
        samples = vmap(alone, randomness="different")(state, latent)
        generator.train()
        return samples

    def members(self) -> list[Member]:
        saved = {
            name: state
            for player in PLAYERS
            for name, state in _saved(self.optimizers[player], self.parameters[player]).items()
        }
        return [
            Member(
                seed,
                _copy({n: t[k] for n, t in (self.state | self.buffers).items()}),
                {
                    name: {
                        # Per-parameter state is stacked as the parameter is; step counts are shared.
                        key: v[k].clone() if _is_stacked(v, self.state[name]) else v
                        for key, v in state.items()
                    }
                    for name, state in saved.items()
                },
                _copy({n: t[k] for n, t in self.averages.items()}),
            )
            for k, seed in enumerate(self.seeds)
        ]

    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        return {
            n: (p.detach()[index], None if p.grad is None else p.grad[index]) for n, p in self.state.items()
        }


def choose(name: str, setup: Setup, members: Sequence[Member]) -> Engine:
    """The engine called ``name``; ``auto`` takes the fastest for these networks on this device.

    Rule of ``auto``: one seed needs no lifting. On a CPU a convolution already fills the cores, and stacking
    turns it into a slower grouped one. Everywhere else a stack does in one kernel what S small ones did.
    """
    if name not in ENGINES:
        raise ConfigurationError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    kind = ENGINES[name]
    if kind is None:
        crowded = setup.device.type == "cpu" and has_convolutions(setup.template)
        kind = SideBySide if len(members) == 1 or crowded else Stacked
    return kind(setup, members)


ENGINES: dict[str, type[Engine] | None] = {
    "auto": None,
    "stacked": Stacked,
    "side_by_side": SideBySide,
}


def descend(loss: Tensor, parameters: Iterable[Tensor], optimizer: Optimizer) -> None:
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


def _in_full_precision(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.float() for x in inputs)


def has_convolutions(network: nn.Module) -> bool:
    return any(isinstance(m, nn.modules.conv._ConvNd) for m in network.modules())


def _by_player(parameters: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    return {player: {n: p for n, p in parameters.items() if n.startswith(f"{player}.")} for player in PLAYERS}


def _generator(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n[10:]: t for n, t in state.items() if n.startswith("generator.")}


def _copy(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def _is_stacked(value: object, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape


def _saved(optimizer: Optimizer, parameters: Mapping[str, Tensor]) -> dict[str, dict[str, Any]]:
    return {
        name: {k: v.clone() if isinstance(v, Tensor) else v for k, v in optimizer.state[p].items()}
        for name, p in parameters.items()
        if p in optimizer.state
    }


def _restore(
    optimizer: Optimizer, own: Mapping[str, Tensor], members: Sequence[Member], *, stacked: bool
) -> None:
    for name, parameter in own.items():
        states = [member.optimizers.get(name, {}) for member in members]
        for key, first in states[0].items():
            if not isinstance(first, Tensor):
                value: Any = first
            elif stacked and first.shape == parameter.shape[1:]:
                value = torch.stack([state[key] for state in states])
            else:
                value = first.clone()
            if _is_stacked(value, parameter):
                # State must lie in memory as its parameter does: see `descend`.
                value = torch.empty_like(parameter, requires_grad=False).copy_(value)
            optimizer.state[parameter][key] = value


def _average(
    average: dict[str, Tensor], source: Mapping[str, Tensor], learned: set[str], decay: float
) -> None:
    """Exponential moving average of what is learned; running statistics are taken as they are."""
    names = [name for name in average if name in learned]
    torch._foreach_lerp_([average[n] for n in names], [source[n].detach() for n in names], 1 - decay)
    for name in average.keys() - learned:
        average[name].copy_(source[name])
