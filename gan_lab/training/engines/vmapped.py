"""Seeds as a batch dimension: one module, everybody's parameters and buffers stacked."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap
from torch.optim import Optimizer

from gan_lab.gan.steps import PLAYERS, Batch, LossFn, Scalars
from gan_lab.training.engines.base import Engine, EngineConfig, TrainState
from gan_lab.training.engines.state import (
    clone_state,
    generator_state,
    load_optimizer_state,
    matches_layout,
    optimizer_state_dict,
    optimizer_step,
    split_by_network,
    update_average,
)


class VmapEngine(Engine):
    """One module, everybody's parameters and buffers stacked along a first dimension S."""

    def __init__(self, setup: EngineConfig, members: Sequence[TrainState]) -> None:
        super().__init__(setup, members)
        pairs = [deepcopy(setup.template) for _ in members]
        for pair, member in zip(pairs, members, strict=True):
            pair.load_state_dict(member.networks)
            pair.to(setup.device)
        self.pair = pairs[0].train()
        self.learned, self.buffers = stack_module_state(pairs)
        self.parameters = split_by_network(self.learned)
        self.optimizers = {
            player: setup.optimizers[player](self.parameters[player].values()) for player in PLAYERS
        }
        for player in PLAYERS:
            load_optimizer_state(self.optimizers[player], self.parameters[player], members, stacked=True)
        averages = [member.generator for member in members] if setup.ema is not None else [{}]
        self.averages = {n: torch.stack([a[n] for a in averages]) for n in averages[0]}

    def all_optimizers(self) -> list[Optimizer]:
        return list(self.optimizers.values())

    def play(self, player: str, turn: LossFn, batch: Batch) -> Scalars:
        def alone(
            parameters: dict[str, Tensor], buffers: dict[str, Tensor], batch: Batch
        ) -> tuple[Tensor, Scalars]:
            played: tuple[Tensor, Scalars] = functional_call(
                self.pair, (parameters, buffers), (turn, self.setup.game, batch)
            )
            return played

        with self.setup.autocast():
            losses, numbers = vmap(alone, randomness="different")(self.learned, self.buffers, batch)
        # Seeds share no parameter, so the gradient of the sum is everybody's own gradient.
        optimizer_step(losses.sum(), self.parameters[player].values(), self.optimizers[player])
        return numbers

    def update_averages(self, decay: float) -> None:
        generator = generator_state(self.learned | self.buffers)
        update_average(self.averages, generator, set(generator_state(self.learned)), decay)

    @torch.no_grad()
    def generate(self, latent: Tensor) -> Tensor:
        generator = self.pair.generator.eval()

        def alone(state: dict[str, Tensor], z: Tensor) -> Tensor:
            samples: Tensor = functional_call(generator, state, (z,))
            return samples.float()

        state = self.averages or generator_state(self.learned | self.buffers)
        samples = vmap(alone, randomness="different")(state, latent)
        generator.train()
        return samples

    def members(self) -> list[TrainState]:
        saved = {
            name: state
            for player in PLAYERS
            for name, state in optimizer_state_dict(self.optimizers[player], self.parameters[player]).items()
        }
        # One copy for everybody, who then get their slices of it.
        networks, averages = clone_state(self.learned | self.buffers), clone_state(self.averages)
        return [
            TrainState(
                seed,
                {n: t[k] for n, t in networks.items()},
                {
                    name: {
                        # Per-parameter state is stacked as the parameter is; step counts are shared.
                        key: v[k] if matches_layout(v, self.learned[name]) else v
                        for key, v in state.items()
                    }
                    for name, state in saved.items()
                },
                {n: t[k] for n, t in averages.items()},
            )
            for k, seed in enumerate(self.seeds)
        ]

    @torch.no_grad()
    def finite(self) -> list[bool]:
        everything = (self.learned | self.buffers).values()
        sound = [t.isfinite().reshape(len(self.seeds), -1).all(dim=1) for t in everything]
        found: list[bool] = torch.stack(sound).all(dim=0).tolist()
        return found

    def state(self, index: int) -> dict[str, Tensor]:
        return {n: t.detach()[index] for n, t in (self.learned | self.buffers).items()}

    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        return {
            n: (p.detach()[index], None if p.grad is None else p.grad[index]) for n, p in self.learned.items()
        }
