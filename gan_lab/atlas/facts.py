"""What can be said of an activation as a function, computed from the module itself and never looked up."""

import math
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from gan_lab.atlas.bounds import Bounds, GridSamples, bounds, is_monotone, jumps, sample
from gan_lab.atlas.function import Curve, Scalars, UndeterminedError
from gan_lab.gan.initialization import second_moment_gain
from gan_lab.utils.errors import ConfigurationError

# What torch.nn.init.calculate_gain calls the modules that it knows.
_CALCULATE_GAIN: dict[type[nn.Module], str] = {
    nn.Identity: "linear",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
    nn.ReLU: "relu",
    nn.LeakyReLU: "leaky_relu",
    nn.SELU: "selu",
}


@dataclass(frozen=True)
class Drawing:
    """f and f' for a picture: three arrays (N,); ``slope`` is NaN where it jumps or is not known."""

    x: Scalars
    value: Scalars
    slope: Scalars


@dataclass(frozen=True)
class Facts:
    """None stands for what could not be told; ``notes`` say why.

    Derivatives are autograd's. ``kinks`` are where the derivative jumps, ``jumps`` where the function does,
    both on [-16, 16]. ``gain_forward`` is 1 / sqrt(E f(z)²) and ``gain_backward`` 1 / sqrt(E f'(z)²),
    z ~ N(0, 1); ``gain_calculated`` is `torch.nn.init.calculate_gain`'s, None where it knows none.
    ``parameters`` counts the learned ones.
    """

    range: Bounds | None = None
    slope: Bounds | None = None
    lipschitz: float | None = None
    monotone: bool | None = None
    kinks: tuple[float, ...] | None = None
    jumps: tuple[float, ...] | None = None
    gain_forward: float | None = None
    gain_backward: float | None = None
    gain_calculated: float | None = None
    parameters: int = 0
    notes: tuple[str, ...] = ()
    drawing: Drawing | None = None


def facts(activation: nn.Module) -> Facts:
    """Never raises for what a module does: that is a note."""
    learned = sum(p.numel() for p in activation.parameters() if p.requires_grad)
    known = Facts(gain_calculated=calculated_gain(activation), parameters=learned)
    try:
        curve = Curve(activation)
        s = sample(curve.value)
    except UndeterminedError as why:
        return replace(known, notes=(str(why),))
    notes = [] if _same_in_training(activation) else ["random in training; this is its evaluation mode"]
    breaks = jumps(curve.value, s)
    if breaks:
        where = "many places" if len(breaks) > 4 else "x = " + ", ".join(f"{x:.3g}" for x in breaks)
        notes.append(f"jumps at {where}")
    try:
        d = sample(curve.slope)
        _agree(s, d, breaks)
        kinks = jumps(curve.slope, d)
        slope, gain_backward = bounds(curve.slope, d, kinks), _gain(curve, d)
    except UndeterminedError as why:
        notes.append(f"derivative: {why}")
        slope, kinks, gain_backward = None, None, None
    return replace(
        known,
        range=bounds(curve.value, s, breaks),
        slope=slope,
        lipschitz=math.inf if breaks else _lipschitz(slope),
        monotone=is_monotone(s) and not _both_signs(slope),
        kinks=kinks,
        jumps=breaks,
        gain_forward=_gain(curve.activation, s),
        gain_backward=gain_backward,
        notes=tuple(notes),
        drawing=_drawing(curve, breaks, kinks),
    )


def calculated_gain(activation: nn.Module) -> float | None:
    name = _CALCULATE_GAIN.get(type(activation))
    slope = activation.negative_slope if isinstance(activation, nn.LeakyReLU) else None
    return None if name is None else float(nn.init.calculate_gain(name, slope))  # type: ignore[arg-type]


def _agree(s: GridSamples, d: GridSamples, breaks: tuple[float, ...]) -> None:
    """Raise `UndeterminedError` where a block's mean derivative is not the function's slope there.

    A straight-through estimator, say, hands autograd a derivative that is not the function's own.
    """
    x, v, slope = s.x[s.core], s.v[s.core], d.v[d.core]
    size, cell = 32, x[1] - x[0]
    blocks = slope[:-1].reshape(-1, size)
    mean = (blocks.sum(axis=1) + (slope[size::size] - slope[:-1:size]) / 2) / size
    # A kink within a cell costs the trapezoidal rule up to half of its jump, over the block's 32 cells.
    slack = (
        0.02 * np.ptp(blocks, axis=1) + 0.02 * np.abs(slope[size::size] - slope[:-1:size]) + 1e-3 * d.scale
    )
    wrong = np.abs(np.diff(v[::size]) / (size * cell) - mean) > slack
    edges = x[::size]
    for place in breaks:
        wrong &= ~((edges[:-1] - cell <= place) & (place <= edges[1:] + cell))
    if wrong.any():
        where = edges[int(np.argmax(wrong))]
        raise UndeterminedError(f"what autograd says is not the function's slope near x = {where:.3g}")


def _lipschitz(slope: Bounds | None) -> float | None:
    if slope is None or slope.low is None or slope.high is None:
        return None
    return max(abs(slope.low), abs(slope.high))


def _both_signs(slope: Bounds | None) -> bool:
    return (
        slope is not None and slope.low is not None and slope.high is not None and slope.low < 0 < slope.high
    )


def _gain(module: nn.Module, s: GridSamples) -> float | None:
    """None where a coarser grid gives another number, as around a pole."""
    try:
        gain = second_moment_gain(module)
    except ConfigurationError:
        return None
    x, v = s.x[s.core], s.v[s.core]
    density = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    coarse = float((v**2 * density).sum() * (x[1] - x[0]))
    return gain if math.isclose(coarse * gain**2, 1, rel_tol=5e-3) else None


def _same_in_training(activation: nn.Module) -> bool:
    x, trained = torch.linspace(-3, 3, 64), deepcopy(activation).cpu().train()
    with torch.no_grad():
        return torch.equal(trained(x.clone()), trained(x.clone()))


def _drawing(curve: Curve, breaks: tuple[float, ...], kinks: tuple[float, ...] | None) -> Drawing:
    """On [-5, 5]; lines are cut where they jump."""
    x = np.linspace(-5, 5, 1001)
    places = np.array([*breaks, *(kinks or ())])
    x = np.unique(np.concatenate([x, places - 1e-9, places, places + 1e-9]))
    x = x[np.abs(x) <= 5]
    value = curve.value(x)
    slope = np.full_like(x, np.nan) if kinks is None else curve.slope(x)
    value[np.isin(x, breaks)] = np.nan
    slope[np.isin(x, places)] = np.nan
    return Drawing(x, value, slope)
