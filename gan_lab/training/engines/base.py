"""What all seeds of a run share, and a group of seeds that are updated together."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gan_lab.gan.steps import GAN, LOSSES, PLAYERS, Batch, GANLoss, LossFn, Scalars
from gan_lab.training.engines.optimizer_state import param_state, seed_part, settings
from gan_lab.training.engines.optimizers import (
    Clipping,
    Gradients,
    OptimizerFactory,
    Schedule,
    build_optimizer,
    optimizer_step,
    set_learning_rate,
)
from gan_lab.training.engines.state import TrainState, clone_state, generator_state, split_by_network

Networks = Mapping[str, Tensor]


@dataclass(frozen=True)
class EngineConfig:
    """What all seeds of a run share.

    template: a GAN on the CPU with every seed's structure; optimizers: network -> factory of its optimizer;
    engine: sequential or vmap; execution: eager, compiled or cuda_graph; ema: decay per step of the averaged
    generator, None for no average; max_concurrent_seeds: how many seeds fit into memory at once, None for
    all; draws: whether networks, losses or optimizers draw random numbers of their own; schedules: network ->
    factor of its learning rate, as a function of the steps that it has taken, for those that have one;
    clippings: network -> what becomes of one seed's gradients, likewise.
    """

    template: GAN
    gan_loss: GANLoss
    optimizers: Mapping[str, OptimizerFactory]
    device: torch.device
    engine: str = "sequential"
    execution: str = "eager"
    precision: torch.dtype = torch.float32
    ema: float | None = None
    max_concurrent_seeds: int | None = None
    draws: bool = False
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    clippings: Mapping[str, Clipping] = field(default_factory=dict)

    def autocast(self) -> AbstractContextManager[Any]:
        if self.precision == torch.float32:
            return nullcontext()
        # Without the cache: under vmap one weight is seen through several wrappers.
        return torch.autocast(self.device.type, self.precision, cache_enabled=False)


class SeedGroup(ABC):
    """The n seeds of one group: their networks, optimizers and averaged generators.

    Batches, scalars and samples have a leading dimension n, ordered as ``seeds``.
    params, buffers: of the GAN, by name; params_of: of one network, by the same names; average: of the
    averaged generator, by the generator's own names.
    """

    stacked: ClassVar[bool]

    def __init__(self, config: EngineConfig, states: Sequence[TrainState]) -> None:
        self.config, self.seeds = config, [state.seed for state in states]
        self.gan = deepcopy(config.template).train()
        if config.precision != torch.float32:
            _normalize_in_float32(self.gan)
        # This is where state enters: everything below is a copy on the device, made with one move.
        self.params, self.buffers = self._load_networks([state.networks for state in states])
        self.average: dict[str, Tensor] = {}
        if config.ema is not None:
            averages = [state.generator for state in states]
            self.average = {name: self._join([a[name] for a in averages]) for name in averages[0]}
        self._trainable = [name for name, _ in self.gan.generator.named_parameters(remove_duplicate=False)]
        self.params_of = split_by_network(self.params)
        self.optimizers: dict[str, Optimizer] = {
            player: build_optimizer(
                config.optimizers[player],
                player,
                self.params_of[player],
                states,
                stacked=self.stacked,
                capturable=config.execution == "cuda_graph",
                scheduled=player in config.schedules,
            )
            for player in PLAYERS
        }

    def set_learning_rate(self, player: str, turn: int) -> Scalars:
        """Set the rate of a step before it is taken, outside of what is captured; scalars are (n,).

        turn: how many steps this player has taken before.
        """
        if player not in self.config.schedules:
            return {}
        rate = set_learning_rate(self.optimizers[player], self.config.schedules[player](turn))
        return {f"learning_rate/{player}": torch.full((len(self.seeds),), rate, device=self.config.device)}

    def update(self, player: str, batch: Batch) -> Scalars:
        """Take one optimizer step of ``player`` for every seed, and move the average; scalars are (n,)."""
        gradients, scalars = self.gradients(player, batch)
        self.descend(player, gradients)
        return scalars

    def gradients(self, player: str, batch: Batch) -> tuple[Gradients, Scalars]:
        """Compute the gradients of ``player``'s parameters, and scalars (n,); its buffers move.

        Asking for these gradients only spares the other network's weight gradients, which a plain
        ``backward()`` computes in the generator's step and throws away.
        """
        with self.config.autocast():
            loss, scalars = self._loss(LOSSES[player], batch)
        params = list(self.params_of[player].values())
        return torch.autograd.grad(loss, params, allow_unused=True), scalars

    def descend(self, player: str, gradients: Gradients) -> None:
        """Take one optimizer step down these gradients, and move the average."""
        clip = self._of_each(self.config.clippings[player]) if player in self.config.clippings else None
        optimizer_step(gradients, self.params_of[player].values(), self.optimizers[player], clip)
        if player == "generator" and self.config.ema is not None:
            self._update_average(self.config.ema)

    @torch.no_grad()
    def _update_average(self, decay: float) -> None:
        """Move the average towards the parameters; buffers such as running statistics are copied."""
        current = generator_state(self.networks())
        names = self._trainable
        torch._foreach_lerp_([self.average[n] for n in names], [current[n] for n in names], 1 - decay)
        for name in self.average.keys() - set(names):
            self.average[name].copy_(current[name])

    def states(self) -> list[TrainState]:
        """Copy the state of every seed, on the training device."""
        # One copy for all seeds, who then get their slices of it.
        networks, average = clone_state(self.networks()), clone_state(self.average)
        remembered = {
            name: values
            for player in PLAYERS
            for name, values in param_state(self.optimizers[player], self.params_of[player]).items()
        }
        beside = {player: settings(optimizer) for player, optimizer in self.optimizers.items()}
        return [
            TrainState(
                seed,
                {name: self._slice(tensor, k) for name, tensor in networks.items()},
                {
                    name: seed_part(values, self.params[name].shape, partial(self._slice, index=k))
                    for name, values in remembered.items()
                },
                {name: self._slice(tensor, k) for name, tensor in average.items()},
                beside,
            )
            for k, seed in enumerate(self.seeds)
        ]

    def state(self, index: int) -> dict[str, Tensor]:
        """State dict of one seed's GAN, not copied."""
        return {name: self._slice(tensor.detach(), index) for name, tensor in self.networks().items()}

    def sampled_generator(self, index: int) -> dict[str, Tensor]:
        """State dict of the generator that one seed's samples come from, not copied."""
        sampled = self.average or generator_state(self.networks())
        return {name: self._slice(tensor.detach(), index) for name, tensor in sampled.items()}

    def parameters_and_grads(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Map parameter name -> (value, last gradient) of one seed, not copied."""
        return {
            name: (self._slice(p.detach(), index), None if p.grad is None else self._slice(p.grad, index))
            for name, p in self.params.items()
        }

    @abstractmethod
    def generate(self, latent: Tensor) -> Tensor:
        """(n, N, L) -> (n, N, *shape) float32, in evaluation mode, from the average if one is kept."""

    @abstractmethod
    def all_finite(self) -> Tensor:
        """(n,) bool: whether all numbers in each seed's networks are finite."""

    @abstractmethod
    def _loss(self, loss_fn: LossFn, batch: Batch) -> tuple[Tensor, Scalars]:
        """The sum of all seeds' losses, and scalars (n,)."""

    @abstractmethod
    def _of_each(self, clip: Clipping) -> Clipping:
        """Lift what is done with one seed's gradients to those of all seeds."""

    @abstractmethod
    def _load_networks(self, networks: Sequence[Networks]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Copy state dicts of the seeds' GANs to the device; return parameters and buffers.

        ``gan`` is a copy of the template on the CPU, without their values.
        """

    @abstractmethod
    def networks(self) -> dict[str, Tensor]:
        """State dict of the GAN, of all seeds, not copied."""

    @abstractmethod
    def _join(self, tensors: Sequence[Tensor]) -> Tensor:
        """Copy one tensor per seed to the device, as one tensor of all seeds."""

    @abstractmethod
    def _slice(self, tensor: Tensor, index: int) -> Tensor:
        """One seed's part of a tensor of all seeds."""


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """Have a network in evaluation mode and without gradients, and in training mode afterwards."""
    network.eval()
    try:
        with torch.no_grad():
            yield network
    finally:
        network.train()


def _normalize_in_float32(gan: nn.Module) -> None:
    """Compute batch statistics in full precision, as their buffers are: vmap's batch norm mixes none."""
    for module in gan.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.register_forward_pre_hook(lambda module, inputs: tuple(x.float() for x in inputs))
