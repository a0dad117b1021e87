"""Turns as CUDA graphs: a whole turn is one launch, whatever number of kernels it has.

Small networks keep a GPU waiting for the processor that launches their kernels one by one. A turn can be
captured because everything random in it is in its batch, and because it asks the device for nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer

from gan_lab.gan.steps import Batch, LossFn, Scalars
from gan_lab.training.engines.base import Engine, EngineConfig, TrainState
from gan_lab.utils.errors import ConfigurationError

# Turns that are played before one is captured: libraries choose their kernels, optimizers make their state.
WARMUP_STEPS = 3


class Recording(Protocol):
    """Work that can be done again, with the same tensors in the same places."""

    output: Tensor

    def replay(self) -> None: ...


class CudaGraph:
    """Capturing runs nothing; ``output`` holds the result after each `replay`."""

    def __init__(self, work: Callable[[], Tensor]) -> None:
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.output = work()

    def replay(self) -> None:
        self.graph.replay()


@dataclass
class _CapturedStep:
    batch: Batch
    names: list[str]
    recording: Recording


class CudaGraphEngine(Engine):
    """Another engine, whose turns are captured once they have been played a few times."""

    record: Callable[[Callable[[], Tensor]], Recording] = CudaGraph

    def __init__(
        self,
        setup: EngineConfig,
        members: Sequence[TrainState],
        kind: Callable[[EngineConfig, Sequence[TrainState]], Engine],
    ) -> None:
        super().__init__(setup, members)
        if setup.device.type != "cuda":
            raise ConfigurationError(f"engine=captured needs a CUDA device, and this is {setup.device.type}")
        self.kind, self.inner = kind, kind(setup, members)
        for optimizer in self.inner.all_optimizers():
            for group in optimizer.param_groups:
                if "capturable" in group:
                    group["capturable"] = True
        self._played: dict[str, int] = {}
        self._captured: dict[str, _CapturedStep] = {}

    @property
    def description(self) -> str:
        return f"{self.inner.description}, captured"

    def all_optimizers(self) -> list[Optimizer]:
        return self.inner.all_optimizers()

    def play(self, player: str, turn: LossFn, batch: Batch) -> Scalars:
        played = self._played[player] = self._played.get(player, 0) + 1
        if played <= WARMUP_STEPS:
            return self.inner.play(player, turn, batch)
        if player not in self._captured:
            self._captured[player] = self._capture(player, turn, batch)
        captured = self._captured[player]
        for place, fresh in zip(captured.batch, batch, strict=True):
            place.copy_(fresh)
        captured.recording.replay()
        # The next replay writes into the same memory.
        return dict(zip(captured.names, captured.recording.output.clone().unbind(), strict=True))

    def _capture(self, player: str, turn: LossFn, batch: Batch) -> _CapturedStep:
        places, names = Batch(*(part.clone() for part in batch)), list[str]()

        def work() -> Tensor:
            numbers = self.inner.play(player, turn, places)
            names[:] = numbers
            return torch.stack([value.float() for value in numbers.values()])

        recording = type(self).record(work)
        return _CapturedStep(places, names, recording)

    def update_averages(self, decay: float) -> None:
        self.inner.update_averages(decay)

    def generate(self, latent: Tensor) -> Tensor:
        return self.inner.generate(latent)

    def members(self) -> list[TrainState]:
        return self.inner.members()

    def finite(self) -> list[bool]:
        return self.inner.finite()

    def state(self, index: int) -> dict[str, Tensor]:
        return self.inner.state(index)

    def weights(self, index: int) -> dict[str, tuple[Tensor, Tensor | None]]:
        return self.inner.weights(index)

    def keep(self, members: Sequence[TrainState]) -> Engine:
        return type(self)(self.setup, members, self.kind)
