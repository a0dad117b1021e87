"""The state of one seed in training, as it moves in and out of an engine and a checkpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from gan_lab.gan.steps import PLAYERS
from gan_lab.training.engines.optimizer_state import copy_plain


@dataclass
class TrainState:
    """Everything that one seed has learned, in the same form whatever engine trains it.

    networks: state dict of its `GAN`; optimizers: parameter name -> what its optimizer remembers of it;
    average: state dict of the averaged generator, empty if none is kept; optimizer_settings: network -> what
    its optimizer remembers beside, see `gan_lab.training.engines.optimizer_state.settings`.
    """

    seed: int
    networks: dict[str, Tensor]
    optimizers: dict[str, dict[str, Any]] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    optimizer_settings: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def generator(self) -> dict[str, Tensor]:
        """State dict of the generator to sample from: the averaged one if there is one."""
        return self.average or generator_state(self.networks)

    def clone(self) -> "TrainState":
        """Copy the state, so that it keeps no others in memory: an engine hands out slices of all seeds."""
        return TrainState(
            self.seed,
            clone_state(self.networks),
            copy_plain(self.optimizers),
            clone_state(self.average),
            copy_plain(self.optimizer_settings),
        )


def clone_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy a state dict, so that later steps do not change it."""
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def generator_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pick the generator's part of a GAN's state dict, under the generator's own names."""
    prefix = "generator."
    return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}


def split_by_network(params: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Split a GAN's parameters into the generator's and the discriminator's; names stay as they are."""
    return {player: {n: p for n, p in params.items() if n.startswith(f"{player}.")} for player in PLAYERS}
