"""What every engine is, what it is built from, and what it gives back."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from gan_lab.gan.steps import GAN, Batch, GANLoss, LossFn, Scalars, discriminator_loss, generator_loss

OptimizerFactory = Callable[[Iterable[Tensor]], Optimizer]


@dataclass
class TrainState:
    """Everything that one seed has learned, in a form that no engine owns.

    networks: state dict of its `GAN`; optimizers: parameter name -> that parameter's optimizer state;
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

    def apart(self) -> "TrainState":
        """A copy that shares memory with no other member: engines may give out slices of one tensor."""
        return TrainState(
            self.seed,
            {n: t.clone() for n, t in self.networks.items()},
            {
                n: {k: v.clone() if isinstance(v, Tensor) else v for k, v in state.items()}
                for n, state in self.optimizers.items()
            },
            {n: t.clone() for n, t in self.average.items()},
        )


@dataclass(frozen=True)
class EngineConfig:
    """What all members share. ``ema``: decay of the averaged generator per step, None for no average."""

    template: GAN
    game: GANLoss
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

    def __init__(self, setup: EngineConfig, members: Sequence[TrainState]) -> None:
        self.setup = setup
        self.seeds = [member.seed for member in members]

    def discriminator_step(self, batch: Batch) -> Scalars:
        return self.play("discriminator", discriminator_loss, batch)

    def generator_step(self, batch: Batch) -> Scalars:
        numbers = self.play("generator", generator_loss, batch)
        if self.setup.ema is not None:
            self.update_averages(self.setup.ema)
        return numbers

    @property
    def description(self) -> str:
        """For people: how the seeds are played."""
        return type(self).__name__

    @abstractmethod
    def all_optimizers(self) -> list[Optimizer]:
        """Every optimizer that its turns step."""

    @abstractmethod
    def play(self, player: str, turn: LossFn, batch: Batch) -> Scalars:
        """One turn and one optimizer step of ``player`` for every seed; numbers are (S,)."""

    @abstractmethod
    def update_averages(self, decay: float) -> None: ...

    @abstractmethod
    def generate(self, latent: Tensor) -> Tensor:
        """(S, N, L) -> (S, N, *shape) float32, in evaluation mode, averaged where an average is kept."""

    @abstractmethod
    def members(self) -> list[TrainState]:
        """Copies of everybody's state, on the training device."""

    @torch.no_grad()
    def finite(self) -> list[bool]:
        """Whether each member's networks hold finite numbers only; waits for the device once."""
        largest = []
        for index in range(len(self.seeds)):
            floats = [t for t in self.state(index).values() if t.is_floating_point()]
            largest.append(get_total_norm(floats, math.inf))
        found: list[bool] = torch.stack(largest).isfinite().tolist()
        return found

    @abstractmethod
    def state(self, index: int) -> dict[str, Tensor]:
        """State dict of one member's `GAN`, not copied."""

    @abstractmethod
    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Parameter name -> (value, last gradient) of one member, not copied."""

    def keep(self, members: Sequence[TrainState]) -> "Engine":
        """An engine of the same kind that goes on with these members only."""
        return type(self)(self.setup, members)


def _in_full_precision(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.float() for x in inputs)
