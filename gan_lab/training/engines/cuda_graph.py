"""A step as a CUDA graph: one launch, whatever number of kernels it has.

Small networks keep a GPU waiting for the processor that launches their kernels one by one. A step can be
captured because everything random in it is in its batch, and because it reads nothing back from the device.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from gan_lab.gan.steps import Batch, Scalars

Step = Callable[[Batch], Scalars]

# Steps before one is captured: libraries choose their kernels meanwhile, and optimizers make their state.
WARMUP_STEPS = 3


class Graph(Protocol):
    """Work that can be done again, on the same memory; ``output`` then holds its result."""

    output: Tensor

    def replay(self) -> None: ...


class CudaGraph:
    """A `Graph` of CUDA kernels. Capturing launches none of them."""

    def __init__(self, work: Callable[[], Tensor]) -> None:
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self.output = work()

    def replay(self) -> None:
        self._graph.replay()


class CudaGraphStep:
    """Calls a step a few times, captures it, and replays it from then on.

    Whatever tensors the step reads or writes beside its batch must stay where they are in memory.
    """

    capture: Callable[[Callable[[], Tensor]], Graph] = CudaGraph

    def __init__(self, step: Step) -> None:
        self.step = step
        self.graph: Graph | None = None
        self._calls = 0
        self._names: list[str] = []

    def __call__(self, batch: Batch) -> Scalars:
        self._calls += 1
        if self._calls <= WARMUP_STEPS:
            return self.step(batch)
        if self.graph is None:
            self._static_batch = Batch(*(part.clone() for part in batch))
            self.graph = type(self).capture(self._work)
        for static, part in zip(self._static_batch, batch, strict=True):
            static.copy_(part)
        self.graph.replay()
        # A copy, because the next replay writes into the same memory.
        return dict(zip(self._names, self.graph.output.clone().unbind(), strict=True))

    def _work(self) -> Tensor:
        scalars = self.step(self._static_batch)
        self._names = list(scalars)
        return torch.stack([value.float() for value in scalars.values()])
