"""Seeds side by side: modules of their own, played one after the other."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor
from torch.func import functional_call
from torch.optim import Optimizer

from gan_lab.gan.steps import GAN, PLAYERS, Batch, LossFn, Scalars
from gan_lab.training.engines.base import Engine, EngineConfig, TrainState
from gan_lab.training.engines.state import (
    clone_state,
    has_convolutions,
    load_optimizer_state,
    optimizer_state_dict,
    optimizer_step,
    split_by_network,
    update_average,
)


class SequentialEngine(Engine):
    """One pair of modules a seed, played one after the other."""

    def __init__(self, setup: EngineConfig, members: Sequence[TrainState]) -> None:
        super().__init__(setup, members)
        self.pairs = [self._pair(member) for member in members]
        self.parameters = [split_by_network(dict(pair.named_parameters())) for pair in self.pairs]
        self.optimizers = [
            {player: setup.optimizers[player](own[player].values()) for player in PLAYERS}
            for own in self.parameters
        ]
        for member, own, optimizers in zip(members, self.parameters, self.optimizers, strict=True):
            for player in PLAYERS:
                load_optimizer_state(optimizers[player], own[player], [member], stacked=False)
        self.averages = [
            {name: tensor.clone() for name, tensor in member.generator.items()}
            if setup.ema is not None
            else {}
            for member in members
        ]

    def _pair(self, member: TrainState) -> GAN:
        pair = deepcopy(self.setup.template)
        pair.load_state_dict(member.networks)
        pair.to(self.setup.device)
        if has_convolutions(pair):
            pair.to(memory_format=torch.channels_last)
        return pair.train()

    def all_optimizers(self) -> list[Optimizer]:
        return [optimizer for own in self.optimizers for optimizer in own.values()]

    def play(self, player: str, turn: LossFn, batch: Batch) -> Scalars:
        numbers = []
        for k, pair in enumerate(self.pairs):
            with self.setup.autocast():
                loss, seen = pair(turn, self.setup.game, Batch(*(part[k] for part in batch)))
            optimizer_step(loss, self.parameters[k][player].values(), self.optimizers[k][player])
            numbers.append(seen)
        return {name: torch.stack([seen[name] for seen in numbers]) for name in numbers[0]}

    def update_averages(self, decay: float) -> None:
        for pair, average in zip(self.pairs, self.averages, strict=True):
            update_average(average, pair.generator.state_dict(), self._learned, decay)

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

    def members(self) -> list[TrainState]:
        return [
            TrainState(
                seed,
                clone_state(pair.state_dict()),
                {
                    name: state
                    for player in PLAYERS
                    for name, state in optimizer_state_dict(optimizers[player], own[player]).items()
                },
                clone_state(average),
            )
            for seed, pair, own, optimizers, average in zip(
                self.seeds, self.pairs, self.parameters, self.optimizers, self.averages, strict=True
            )
        ]

    def state(self, index: int) -> dict[str, Tensor]:
        return dict(self.pairs[index].state_dict())

    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        return {n: (p.detach(), p.grad) for n, p in self.pairs[index].named_parameters()}
