"""An engine trains all seeds of a run, one group of seeds after the other."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lab.gan.steps import PLAYERS, Batch, Scalars
from gan_lab.training.engines.base import EngineConfig, SeedGroup
from gan_lab.training.engines.compiled import Compiled
from gan_lab.training.engines.cuda_graph import CudaGraphs
from gan_lab.training.engines.execution import Eager, Execution, Step
from gan_lab.training.engines.single import SingleSeed
from gan_lab.training.engines.state import TrainState
from gan_lab.training.engines.vmapped import VmappedSeeds
from gan_lab.utils.seeding import seeded

_log = logging.getLogger(__name__)

GROUPS: dict[str, type[SeedGroup]] = {"sequential": SingleSeed, "vmap": VmappedSeeds}
EXECUTIONS: dict[str, Callable[[torch.device], Execution]] = {
    "eager": Eager,
    "compiled": Compiled,
    "cuda_graph": CudaGraphs,
}


class Engine:
    """All S seeds of a run in training; batches, scalars and samples have a leading dimension S.

    Groups hold the states of their seeds and know how to update them; the execution decides how such an
    update is called. Weights and optimizer states of all seeds are always in memory; what a forward pass
    keeps for the backward pass, by far the largest part with images, is there for one group at a time.
    """

    def __init__(self, config: EngineConfig, states: Sequence[TrainState]) -> None:
        self.config, self.seeds = config, [state.seed for state in states]
        self.group_size = _group_size(config, len(states))
        starts = range(0, len(states), self.group_size)
        make = GROUPS[config.engine]
        self.groups = [make(config, states[k : k + self.group_size]) for k in starts]
        self.execution = EXECUTIONS[config.execution](config.device)
        self.steps = self._make_steps()

    def _make_steps(self) -> dict[str, list[Step]]:
        return {player: [self.execution.step(group, player) for group in self.groups] for player in PLAYERS}

    def prepare(self, batches: Mapping[str, Batch]) -> None:
        """Compile, before the first step, what will be called with batches like these, one per network.

        No state changes. If a step cannot be compiled, all are eager, and the log says why.
        """
        for player, batch in batches.items():
            for step, part in zip(self.steps[player], self._split(batch), strict=True):
                self.execution.prepare(step, part)
        if self.execution.name != self.config.execution:
            self.execution = EXECUTIONS[self.execution.name](self.config.device)
            self.steps = self._make_steps()

    def discriminator_step(self, batch: Batch, turn: int) -> Scalars:
        """One optimizer step of every seed's discriminator; scalars are (S,)."""
        return self.update("discriminator", batch, turn)

    def generator_step(self, batch: Batch, turn: int) -> Scalars:
        """One optimizer step of every seed's generator, whose average follows; scalars are (S,)."""
        return self.update("generator", batch, turn)

    def update(self, player: str, batch: Batch, turn: int) -> Scalars:
        """One optimizer step of ``player`` for every seed; scalars are (S,).

        turn: how many steps this player has taken before. What its networks draw depends on seed, player and
        turn alone.
        """
        scalars = []
        for group, step, part in zip(self.groups, self.steps[player], self._split(batch), strict=True):
            rates = group.set_learning_rate(player, turn)
            with self._stream(group, f"turn/{player}", turn):
                scalars.append(step(part) | rates)
        if len(scalars) == 1:
            return scalars[0]
        return {name: torch.cat([values[name] for values in scalars]) for name in scalars[0]}

    def _split(self, batch: Batch) -> list[Batch]:
        """Split a batch of all seeds into one per group."""
        return [Batch(*p) for p in zip(*(torch.split(t, self.group_size) for t in batch), strict=True)]

    def generate(self, latent: Tensor, purpose: str = "samples", block: int = 0) -> Tensor:
        """(S, N, L) -> (S, N, *shape) float32, in evaluation mode, averaged if an average is kept.

        purpose, block: of the stream on which networks draw that do so when they generate.
        """
        samples = []
        for group, z in zip(self.groups, torch.split(latent, self.group_size), strict=True):
            with self._stream(group, f"generate/{purpose}", block):
                samples.append(group.generate(z))
        return torch.cat(samples)

    def _stream(self, group: SeedGroup, name: str, block: int) -> AbstractContextManager[None]:
        """Global generators on a stream of the group's first seed, who is alone where anything draws."""
        if not self.config.draws:
            return nullcontext()
        return seeded(group.seeds[0], name, block, self.config.device)

    def states(self) -> list[TrainState]:
        """Copy the state of every seed, on the training device."""
        return [state for group in self.groups for state in group.states()]

    def select(self, states: Sequence[TrainState]) -> "Engine":
        """Make an engine of the same kind that trains these states only."""
        return Engine(replace(self.config, execution=self.execution.name), states)

    def all_finite(self) -> list[bool]:
        """Whether all numbers in each seed's networks are finite; waits for the device once."""
        finite: list[bool] = torch.cat([group.all_finite() for group in self.groups]).tolist()
        return finite

    def state(self, index: int) -> dict[str, Tensor]:
        """State dict of one seed's GAN, not copied."""
        return self.groups[index // self.group_size].state(index % self.group_size)

    def sampled_generator(self, index: int) -> dict[str, Tensor]:
        """State dict of the generator that one seed's samples come from, not copied."""
        return self.groups[index // self.group_size].sampled_generator(index % self.group_size)

    def parameters_and_grads(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        """Map parameter name -> (value, last gradient) of one seed, not copied."""
        return self.groups[index // self.group_size].parameters_and_grads(index % self.group_size)

    @property
    def optimizers(self) -> list[Optimizer]:
        """Every optimizer that takes steps, of all groups and both networks."""
        return [optimizer for group in self.groups for optimizer in group.optimizers.values()]

    @property
    def description(self) -> str:
        """For people: how the seeds are trained."""
        words = f"{self.config.engine}, {self.execution.name}"
        if self.config.engine == "vmap" and len(self.groups) > 1:
            words += f", {len(self.groups)} groups of at most {self.group_size} seeds"
        return words


def _group_size(config: EngineConfig, num_seeds: int) -> int:
    if config.engine == "sequential":
        return 1
    limit = config.max_concurrent_seeds
    if limit is None or limit >= num_seeds:
        return num_seeds
    _log.warning(
        "%d seeds do not fit into memory at once: they are trained in groups of %d", num_seeds, limit
    )
    return limit
