"""How the steps of an engine are executed, whatever groups of seeds they are for."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch

from gan_lab.gan.steps import Batch, Scalars
from gan_lab.training.engines.base import SeedGroup

Step = Callable[[Batch], Scalars]


class Execution(Protocol):
    """What all steps of an engine share that are executed in one way."""

    @property
    def name(self) -> str:
        """What is done in fact: ``eager`` after anything else has failed."""

    def step(self, group: SeedGroup, player: str) -> Step:
        """Return what takes a step of one network of these seeds."""

    def prepare(self, step: Step, batch: Batch) -> None:
        """Do what must be done before a step's first batch, with nothing changed by it."""


class Eager:
    """Calls the steps as they are."""

    name = "eager"

    def __init__(self, device: torch.device) -> None:
        pass

    def step(self, group: SeedGroup, player: str) -> Step:
        return partial(group.update, player)

    def prepare(self, step: Step, batch: Batch) -> None:
        pass
