"""Learning-rate schedules: by which factor the optimizer's rate is multiplied, as a function of the step.

A factor depends on the step alone, so a run that is stopped and resumed has the rates of one that never was.
The schedulers of `torch.optim.lr_scheduler` reach the same rates one step from the last.
"""

import math
from abc import ABC, abstractmethod

from gan_lab.utils.checks import check_int, check_number


class Decay(ABC):
    """From 1 to ``end_factor`` within ``length`` steps, the first of which is ``start``; constant outside."""

    def __init__(self, length: int, end_factor: float, start: int = 0) -> None:
        self.length = check_int("length", length)
        self.start = check_int("start", start, at_least=0)
        self.end_factor = self._check_end(end_factor)

    def __call__(self, step: int) -> float:
        progress = min(max(step - self.start, 0) / self.length, 1.0)
        return self._factor(progress)

    def _check_end(self, end_factor: float) -> float:
        return check_number("end_factor", end_factor, at_least=0)

    @abstractmethod
    def _factor(self, progress: float) -> float:
        """Return the factor at a share of the length, from 0 to 1."""


class LinearDecay(Decay):
    """In equal steps, as `torch.optim.lr_scheduler.LinearLR`."""

    def _factor(self, progress: float) -> float:
        return 1 + (self.end_factor - 1) * progress


class CosineDecay(Decay):
    """By half a cosine (Loshchilov and Hutter 2017), as torch's CosineAnnealingLR until ``T_max``."""

    def _factor(self, progress: float) -> float:
        return self.end_factor + (1 - self.end_factor) * (1 + math.cos(math.pi * progress)) / 2


class ExponentialDecay(Decay):
    """By the same factor in each step, as torch's ExponentialLR: gamma = end_factor ** (1 / length)."""

    def _check_end(self, end_factor: float) -> float:
        return check_number("end_factor", end_factor, above=0)

    def _factor(self, progress: float) -> float:
        return float(self.end_factor**progress)


class WarmUp:
    """From ``start_factor`` to 1 in equal steps within ``length`` steps, as torch's LinearLR; then 1."""

    def __init__(self, length: int, start_factor: float) -> None:
        self.length = check_int("length", length)
        self.start_factor = check_number("start_factor", start_factor, at_least=0)

    def __call__(self, step: int) -> float:
        return self.start_factor + (1 - self.start_factor) * min(step / self.length, 1.0)
