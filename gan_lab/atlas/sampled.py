"""An activation sampled on a grid over [-16, 16] in float64: what that shows is no claim about the rest."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from gan_lab.atlas.facts import Facts, Interval, Scalars
from gan_lab.utils.errors import summarize_exception

EDGE, STEP = 16.0, 2.0**-11
GRID = np.linspace(-EDGE, EDGE, round(2 * EDGE / STEP) + 1)
BETWEEN = slice(1, None, 2)  # Every other sample: kinks tend to lie on round numbers, which these are not.
_DENSITY = np.exp(-(GRID**2) / 2) / math.sqrt(2 * math.pi)


class UndeterminedError(Exception):
    """Sampling does not show this of an activation; the message says why."""


class Samples:
    """``values`` and ``slopes`` of an activation on the grid, f(x) and f'(x) as autograd has it, (N,).

    ``slopes`` is None if there are none, and ``no_slopes`` says why. A copy in evaluation mode is sampled.

    Raises `UndeterminedError` for a module that does not keep shapes, does not work element by element, is
    random even in evaluation mode, or is not finite on the grid.
    """

    def __init__(self, activation: nn.Module) -> None:
        self._activation = deepcopy(activation).to("cpu", torch.float64).eval().requires_grad_(False)
        x = np.linspace(-3, 3, 65)
        some, y = np.random.default_rng(0).permutation(x.size)[:40], self.value(x)
        for again, expected, problem in (
            (self.value(x), y, "it is random"),
            (self.value(x[some]), y[some], "it does not work element by element"),
        ):
            if not np.allclose(again, expected, rtol=1e-9, atol=1e-12, equal_nan=True):
                raise UndeterminedError(problem)
        self.values = _finite(self.value(GRID))
        self.slopes: Scalars | None = None
        self.no_slopes = ""
        try:
            self.slopes = self._checked(_finite(self.slope(GRID)))
        except UndeterminedError as why:
            self.no_slopes = str(why)

    def value(self, x: Scalars) -> Scalars:
        """Return f(x), (N,)."""
        with torch.no_grad():
            return self._apply(torch.from_numpy(x).clone()).numpy()

    def slope(self, x: Scalars) -> Scalars:
        """Return f'(x), (N,); raises `UndeterminedError` if autograd has none."""
        leaf = torch.from_numpy(x).requires_grad_(True)
        y = self._apply(leaf.clone())  # A copy, because an activation may work in place.
        try:
            return torch.autograd.grad(y, leaf, torch.ones_like(y))[0].numpy()
        except RuntimeError as error:
            raise UndeterminedError(f"autograd has none: {summarize_exception(error, bare=True)}") from error

    def observed_facts(self) -> Facts:
        """Return what the samples show."""
        jumps = _jumps(self.value, self.values)
        kinks = None if self.slopes is None else _jumps(self.slope, self.slopes)
        steps, rounding = np.diff(self.values), 1e-7 * np.ptp(self.values)
        return Facts(
            range=_extent(self.values, continuous=not jumps),
            derivative=None if self.slopes is None else _extent(self.slopes, continuous=not kinks),
            monotone=bool((steps >= -rounding).all() or (steps <= rounding).all()),
            kinks=kinks,
            jumps=jumps,
            sampled_on=(-EDGE, EDGE),
        )

    def with_moments(self, facts: Facts) -> Facts:
        """Add the mean and the gains."""
        second = _expectation(self.values**2)
        second_slope = None if self.slopes is None else _expectation(self.slopes**2)
        return replace(
            facts,
            mean=_expectation(self.values),
            gain_fwd=second**-0.5 if second else None,
            gain_bwd=second_slope**-0.5 if second_slope else None,
        )

    def curves(self, jumps: tuple[float, ...], kinks: tuple[float, ...]) -> Scalars:
        """Return x, f(x) and f'(x) on [-5, 5] for a plot, (3, N), with NaN where they jump."""
        slopes = np.full_like(GRID, np.nan) if self.slopes is None else self.slopes
        curves = np.stack([GRID, self.values, slopes])[:, ::8]
        for row, breaks in ((1, jumps), (2, jumps + kinks)):
            for x in breaks:
                curves[row, np.abs(curves[0] - x) < 8 * STEP] = np.nan
        return curves[:, np.abs(curves[0]) <= 5]

    def _apply(self, x: Tensor) -> Tensor:
        try:
            y = self._activation(x)
        except Exception as error:
            raise UndeterminedError(f"in float64: {summarize_exception(error)}") from error
        if not isinstance(y, Tensor) or y.shape != x.shape:
            raise UndeterminedError("it does not keep the shape of its input")
        return y.to(torch.float64)

    def _checked(self, slopes: Scalars) -> Scalars:
        """Raise `UndeterminedError` if these are not f's slopes, as with a straight-through estimator."""
        x, h = GRID[8::16], 1e-4
        differences = (self.value(x + h) - self.value(x - h)) / (2 * h)
        wrong = np.abs(differences - slopes[8::16]) > 0.02 * np.abs(slopes).max()
        if wrong.mean() > 0.01:  # Fewer than that lie on kinks and jumps.
            raise UndeterminedError(
                f"what autograd says is not the function's slope near x = {x[wrong][0]:.3g}"
            )
        return slopes


def _finite(samples: Scalars) -> Scalars:
    wrong = GRID[~np.isfinite(samples)]
    if wrong.size:
        raise UndeterminedError(f"not finite at x = {wrong[np.argmin(np.abs(wrong))]:.3g}")
    return samples


def _expectation(g: Scalars) -> float | None:
    """Return E g(z), z ~ N(0, 1), by the midpoint rule.

    None if the samples left out give another number, as around a pole, or if the grid is too short.
    """
    weighted = g * _DENSITY
    value, other = 2 * STEP * weighted[BETWEEN].sum(), 2 * STEP * weighted[::2].sum()
    size = STEP * np.abs(weighted).sum()
    settled = abs(value - other) <= 5e-3 * size and np.abs(weighted[[0, -1]]).sum() <= 1e-9 * size
    return float(value) if settled else None


def _extent(samples: Scalars, continuous: bool) -> Interval:
    """Return the smallest and the largest sample, or the values if there are at most four, as after jumps."""
    low, high, unit = float(samples.min()), float(samples.max()), float(np.abs(samples).max()) or 1.0
    _, first, counts = np.unique(np.round(samples[BETWEEN] / unit, 9), return_index=True, return_counts=True)
    values = tuple(sorted(float(value) for value in samples[BETWEEN][first]))
    few = len(values) <= (1 if continuous else 4) and counts.min() > 1
    complete = few and math.isclose(values[-1] - values[0], high - low, abs_tol=1e-9 * unit)
    return Interval(low, high, values=values if complete else ())


def _jumps(f: Callable[[Scalars], Scalars], samples: Scalars) -> tuple[float, ...]:
    """Return where f jumps, at most 64 places: cells that differ from their neighbors, halved 36 times."""
    step = np.abs(np.diff(samples))
    cells = np.argsort(np.maximum(np.roll(step, 2), np.roll(step, -2)) - step)[:64]
    low, high = GRID[cells], GRID[cells + 1]
    for _ in range(36):
        middle = (low + high) / 2
        left = np.abs(f(middle) - f(low)) > np.abs(f(high) - f(middle))
        low, high = np.where(left, low, middle), np.where(left, middle, high)
    near, a, b = samples[np.abs(GRID) <= 5], f(low), f(high)
    least = 1e-5 * np.maximum(np.ptp(near) or np.abs(near).max() or 1.0, np.maximum(np.abs(a), np.abs(b)))
    # Wider by 1e-9, because a single value, such as sign(0) in a product, is not a jump.
    jump = np.minimum(np.abs(b - a), np.abs(f(high + 1e-9) - f(low - 1e-9))) > least
    return tuple(sorted({round(float(x), 6) + 0.0 for x in high[jump]}))
