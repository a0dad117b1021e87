"""Seeds in groups: for what does not fit into memory at once."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lab.gan.steps import Batch, LossFn, Scalars
from gan_lab.training.engines.base import Engine, EngineConfig, TrainState


class ChunkedEngine(Engine):
    """Members in groups of at most ``size``, played one after the other, each by an engine of its own.

    Weights and optimizer states of everybody stay where they are; what a pass keeps for its backward pass,
    by far the largest part with images, is there for one group at a time.
    """

    def __init__(
        self,
        setup: EngineConfig,
        members: Sequence[TrainState],
        kind: Callable[[EngineConfig, Sequence[TrainState]], Engine],
        size: int,
    ) -> None:
        super().__init__(setup, members)
        self.kind, self.size = kind, size
        self.groups = [kind(setup, members[k : k + size]) for k in range(0, len(members), size)]

    @property
    def description(self) -> str:
        return f"{self.groups[0].description}, {len(self.groups)} groups of at most {self.size} seeds"

    def all_optimizers(self) -> list[Optimizer]:
        return [optimizer for group in self.groups for optimizer in group.all_optimizers()]

    def play(self, player: str, turn: LossFn, batch: Batch) -> Scalars:
        parts = zip(*(torch.split(part, self.size) for part in batch), strict=True)
        played = [
            group.play(player, turn, Batch(*part)) for group, part in zip(self.groups, parts, strict=True)
        ]
        return {name: torch.cat([numbers[name] for numbers in played]) for name in played[0]}

    def update_averages(self, decay: float) -> None:
        for group in self.groups:
            group.update_averages(decay)

    def generate(self, latent: Tensor) -> Tensor:
        parts = torch.split(latent, self.size)
        return torch.cat([group.generate(z) for group, z in zip(self.groups, parts, strict=True)])

    def members(self) -> list[TrainState]:
        return [member for group in self.groups for member in group.members()]

    def finite(self) -> list[bool]:
        return [sound for group in self.groups for sound in group.finite()]

    def state(self, index: int) -> dict[str, Tensor]:
        return self.groups[index // self.size].state(index % self.size)

    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        return self.groups[index // self.size].weights(index % self.size)

    def keep(self, members: Sequence[TrainState]) -> Engine:
        return ChunkedEngine(self.setup, members, self.kind, self.size)
