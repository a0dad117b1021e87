"""A step as a CUDA graph: one launch, whatever number of kernels it has.

Small networks keep a GPU waiting for the processor that launches their kernels one by one. A step can be
captured because everything random in it is in its batch, and because it reads nothing back from the device.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from gan_lab.gan.steps import Batch, Scalars
from gan_lab.training.engines.base import SeedGroup
from gan_lab.training.engines.execution import Step
from gan_lab.utils.errors import summarize_exception

_log = logging.getLogger(__name__)

# Steps before one is captured: libraries choose their kernels meanwhile, and optimizers make their state.
WARMUP_STEPS = 3


class CudaGraphs:
    """The `Execution` of captured steps, each of which is captured at one of its first calls."""

    def __init__(self, device: torch.device) -> None:
        self._capture: Capture = CudaCapture(device)

    @property
    def name(self) -> str:
        return "eager" if self._capture.failed else "cuda_graph"

    def step(self, group: SeedGroup, player: str) -> Step:
        return CudaGraphStep(partial(group.update, player), self._capture)

    def prepare(self, step: Step, batch: Batch) -> None:
        pass


class Graph(Protocol):
    """Work that can be done again, on the same memory; ``output`` then holds its result."""

    output: Tensor

    def replay(self) -> None: ...


class Capture(Protocol):
    """Where the steps of an engine are warmed up and captured; calling it captures, and launches nothing."""

    failed: bool

    def warming_up(self) -> AbstractContextManager[None]: ...
    def __call__(self, work: Callable[[], Tensor]) -> Graph: ...


class CudaGraph:
    """A `Graph` of CUDA kernels."""

    def __init__(self, graph: torch.cuda.CUDAGraph, output: Tensor) -> None:
        self._graph, self.output = graph, output

    def replay(self) -> None:
        self._graph.replay()


class CudaCapture:
    """A `Capture` on one stream beside the current one, whose graphs share one pool of memory.

    Sharing is safe, as graphs are replayed in the order in which they were captured, and never two at once:
    one may write over what an earlier one has put down on its way, but not over gradients, which are held.
    failed: whether a capture has failed; the other steps of its engine are then not tried.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self.failed = False

    @contextmanager
    def warming_up(self) -> Iterator[None]:
        """Have steps run where they are captured: some libraries make their workspace per stream."""
        current = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            yield
        current.wait_stream(self._stream)

    def __call__(self, work: Callable[[], Tensor]) -> CudaGraph:
        graph = torch.cuda.CUDAGraph()
        # What other threads do meanwhile, such as pinning the memory of the next batch, spoils nothing then.
        mode = "thread_local"
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode=mode):
            output = work()
        return CudaGraph(graph, output)


class CudaGraphStep:
    """Calls a step a few times, captures it, and replays it from then on.

    Whatever tensors the step reads or writes beside its batch must stay where they are in memory. A step that
    cannot be captured is called as it is, and the log says so.
    """

    def __init__(self, step: Step, capture: Capture) -> None:
        self.step, self.capture = step, capture
        self.graph: Graph | None = None
        self._calls = 0
        self._names: list[str] = []

    def __call__(self, batch: Batch) -> Scalars:
        self._calls += 1
        if self._calls <= WARMUP_STEPS:
            with self.capture.warming_up():
                return self.step(batch)
        if self.graph is None and not self.capture.failed:
            self.graph = self._captured(batch)
        if self.graph is None:
            return self.step(batch)
        for static, part in zip(self._static_batch, batch, strict=True):
            static.copy_(part)
        self.graph.replay()
        # A copy, because the next replay writes into the same memory.
        return dict(zip(self._names, self.graph.output.clone().unbind(), strict=True))

    def _captured(self, batch: Batch) -> Graph | None:
        self._static_batch = Batch(*(part.clone() for part in batch))
        try:
            return self.capture(self._work)
        except Exception as error:  # of CUDA, the allocator or an optimizer; the step's own comes again
            self.capture.failed = True
            # The end of a capture complains, too, of what has spoiled it.
            reason = summarize_exception(error.__context__ or error, bare=True)
            _log.warning("execution=cuda_graph: a step cannot be captured, so it is eager: %s", reason)
            return None

    def _work(self) -> Tensor:
        scalars = self.step(self._static_batch)
        self._names = list(scalars)
        return torch.stack([value.float() for value in scalars.values()])
