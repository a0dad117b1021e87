"""What stands in for capturing steps on a CUDA device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class RepeatedWork:
    """Stands in for a CUDA graph: the work itself, done again on the same tensors at each replay."""

    def __init__(self, work: Callable[[], Tensor]) -> None:
        self.work, self.output = work, torch.empty(0)

    def replay(self) -> None:
        self.output = self.work()


class Repeating:
    """Stands in for capturing on a CUDA device; ``error``: raised at the capture with this number, from 1."""

    def __init__(
        self, device: torch.device | None = None, error: tuple[int, Exception] | None = None
    ) -> None:
        self.failed, self.error = False, error
        self.warmed_up = self.captured = 0

    @contextmanager
    def warming_up(self) -> Iterator[None]:
        self.warmed_up += 1
        yield

    def __call__(self, work: Callable[[], Tensor]) -> RepeatedWork:
        self.captured += 1
        if self.error is not None and self.captured == self.error[0]:
            raise self.error[1]
        return RepeatedWork(work)
