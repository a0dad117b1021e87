"""What the atlas knows of an activation, as data."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scalars = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """The smallest interval that holds all values of a function.

    ``brackets`` say whether an end is itself a value: "[)" as for [0, inf). ``values``: all of them, if they
    are finitely many, such as {0, 1} for ReLU's derivative.
    """

    low: float
    high: float
    brackets: str = "[]"
    values: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """Read "(-1, 1)", "[0, inf)" or "{0, 1}"."""
        numbers = sorted({float(number) for number in text[1:-1].split(",")})
        if text[0] == "{":
            return cls(numbers[0], numbers[-1], values=tuple(numbers))
        return cls(numbers[0], numbers[-1], text[0] + text[-1])


@dataclass(frozen=True)
class Facts:
    """What is known of an activation f; None for what is not, and ``notes`` say why.

    ``smoothness``: C0 is continuous, C1 has a continuous derivative, Cinf has all of them. ``kinks`` are
    where f' jumps, ``jumps`` where f does. With z ~ N(0, 1), ``mean`` is E f(z), ``gain_fwd`` is
    1 / sqrt(E f(z)²) and ``gain_bwd`` 1 / sqrt(E f'(z)²); ``calculate_gain`` is `torch.nn.init`'s, None if
    that knows none. ``parameters`` counts the learned ones. The facts hold for every x and name their
    ``source``, or else were observed on the interval ``sampled_on``. ``curves`` are for a plot: x, f(x) and
    f'(x), (3, N), NaN where they jump or are not known.
    """

    range: Interval | None = None
    derivative: Interval | None = None
    monotone: bool | None = None
    smoothness: str | None = None
    kinks: tuple[float, ...] | None = None
    jumps: tuple[float, ...] | None = None
    mean: float | None = None
    gain_fwd: float | None = None
    gain_bwd: float | None = None
    calculate_gain: float | None = None
    parameters: int = 0
    source: str | None = None
    sampled_on: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    curves: Scalars | None = None

    @property
    def lipschitz(self) -> float | None:
        """The largest |f'|; infinite if f jumps."""
        if self.jumps:
            return math.inf
        return None if self.derivative is None else max(abs(self.derivative.low), abs(self.derivative.high))
