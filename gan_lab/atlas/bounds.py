"""The range of a function of one number, found by looking: which end is reached, approached, or infinite.

Samples are dense on [-16, 16] and reach out to 2^40 in octaves. Where they do not settle a question the
answer is None: better no number than a wrong one. Tolerances are relative to how much f moves on [-5, 5].
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gan_lab.atlas.function import Scalars, UndeterminedError

Function = Callable[[Scalars], Scalars]

CORE = 16
CELLS = 2**15
OCTAVES = (4, 40)
_SECTIONS = 33  # Points of a search that narrows an interval down 32 times a round.


@dataclass(frozen=True)
class Bounds:
    """The smallest interval around a function's values; None for an end that could not be told.

    ``attained``: whether the end is a value of the function or only its limit, as 0 and 1 are of sigmoid.
    ``values``: all of them, where they are finitely many, such as ReLU's derivative (0.0, 1.0).
    """

    low: float | None
    high: float | None
    low_attained: bool
    high_attained: bool
    values: tuple[float, ...] = ()


@dataclass(frozen=True)
class GridSamples:
    """x ascending, (N,); v = f(x); scale, how much v moves near 0.

    Where f overflows far out, that end stops before it.
    """

    x: Scalars
    v: Scalars
    scale: float

    @property
    def core(self) -> slice:
        return slice(*np.searchsorted(self.x, [-CORE, CORE + 1e-9]))

    def mirrored(self) -> "GridSamples":
        return GridSamples(self.x, -self.v, self.scale)


def sample(f: Function) -> GridSamples:
    """Raises `UndeterminedError` where f is not finite on [-16, 16]."""
    core = np.linspace(-CORE, CORE, CELLS + 1)
    steps = 128 * (OCTAVES[1] - OCTAVES[0])
    # A regular grid would always meet a periodic function at the same phases.
    jitter = np.random.default_rng(0).uniform(0.1, 0.9, steps)
    far = 2.0 ** (OCTAVES[0] + (np.arange(steps) + jitter) / 128)
    x = np.concatenate([-far[::-1], core, far])
    v = f(x)
    bad = x[~np.isfinite(v)]
    inside = bad[np.abs(bad) <= CORE]
    if inside.size:
        raise UndeterminedError(f"not finite at x = {inside[np.argmin(np.abs(inside))]:.3g}")
    left, right = bad[bad < 0].max(initial=-np.inf), bad[bad > 0].min(initial=np.inf)
    keep = (x > left) & (x < right)
    x, v = x[keep], v[keep]
    near = v[np.abs(x) <= 5]
    return GridSamples(x, v, float(np.ptp(near)) or float(np.abs(near).max()) or 1.0)


def bounds(f: Function, s: GridSamples, places: tuple[float, ...]) -> Bounds:
    """Of ``f``, whose samples are ``s`` and which jumps at ``places``."""
    values = _few_values(f, s)
    if len(values) > 1 and not places:  # Without a jump all between them are values too.
        values = ()
    if values:
        return Bounds(values[0], values[-1], True, True, values)
    high, high_attained = _supremum(f, s)
    low, low_attained = _supremum(lambda x: -f(x), s.mirrored())
    return Bounds(
        None if low is None else _digits(-low, s.scale),
        None if high is None else _digits(high, s.scale),
        low_attained,
        high_attained,
    )


def jumps(f: Function, s: GridSamples) -> tuple[float, ...]:
    """Where on [-16, 16] f jumps, ascending; at most 64 places."""
    x, v = s.x[s.core], s.v[s.core]
    step = np.abs(np.diff(v))
    around = np.maximum(np.roll(step, 2), np.roll(step, -2))
    cells = np.argsort(around - step)[:64]
    low, high = x[cells], x[cells + 1]
    for _ in range(36):
        middle = (low + high) / 2
        at, a, b = f(middle), f(low), f(high)
        left = np.abs(at - a) > np.abs(b - at)
        low, high = np.where(left, low, middle), np.where(left, middle, high)
    found = high[np.abs(f(high) - f(low)) > 1e-5 * s.scale]
    # A single value of its own, such as sign(0) in a product, is not a jump.
    found = found[np.abs(f(found + 1e-9) - f(found - 1e-9)) > 1e-5 * s.scale]
    return tuple(sorted({round(float(place), 6) + 0.0 for place in found}))


def is_monotone(s: GridSamples) -> bool:
    """Nowhere falling or nowhere rising, up to rounding, over all samples."""
    step = np.diff(s.v)
    rounding = 16 * np.finfo(np.float64).eps * np.maximum(np.abs(s.v[:-1]), np.abs(s.v[1:]))
    slack = 1e-12 * s.scale + rounding
    return bool((step >= -slack).all() or (step <= slack).all())


def _supremum(f: Function, s: GridSamples) -> tuple[float | None, bool]:
    tails = [_tail(f, s, side) for side in (-1, 1)]
    if any(grows for grows, _ in tails):
        return math.inf, False
    if any(grows is None for grows, _ in tails):
        return None, False
    highest, attained = _peak(f, s, s.core.start + int(np.argmax(s.v[s.core])))
    limits = {side: limit for side, (_, limit) in zip((-1, 1), tails, strict=True) if limit is not None}
    slack = 1e-9 * s.scale
    if highest is None:
        return None, False
    if s.v.max() > max(highest, *limits.values(), -math.inf) + slack:
        place = int(np.argmax(s.v))
        if abs(s.x[place]) > 1e4:  # Floats are too coarse out there to look closer.
            return None, False
        highest, attained = _peak(f, s, place)
        if highest is None:
            return None, False
    nearest = [side for side, limit in limits.items() if limit >= highest - slack]
    if not nearest:
        return highest, attained
    limit = max(limits[side] for side in nearest)
    return limit, any(_reaches(f, s, side, limit) for side in nearest if limits[side] >= limit - slack)


def _tail(f: Function, s: GridSamples, side: int) -> tuple[bool | None, float | None]:
    """(whether f grows above all bounds, its limit if it has one) for x towards ``side`` infinity.

    Three windows, each a third of the octaves: growth that does not slow down from window to window has no
    bound (a logarithm's is the same in each), and one that all but stops has one.
    """
    mine = s.x * side > CORE
    octave, v = np.log2(np.abs(s.x[mine])), s.v[mine]
    if octave.size == 0 or octave.max() < 7:
        return None, None
    edges = np.linspace(octave.min(), octave.max(), 4)
    tops = [v[(octave >= a) & (octave <= b)].max() for a, b in pairwise(edges)]
    before, last = np.diff(tops)
    if last > 0.01 * s.scale:
        return (True if last >= 0.95 * before else None), None
    end = octave > octave.max() - 1
    if np.ptp(v[end]) > 1e-6 * s.scale:
        return False, None
    a, b, c = f(side * 2.0 ** (octave.max() - np.array([2.0, 1.0, 0.0])))
    bend = (c - b) - (b - a)  # Aitken's extrapolation, for tails as slow as softsign's.
    ahead = -((c - b) ** 2) / bend if bend != 0 else 0.0
    return False, float(c + ahead) if abs(ahead) <= 2 * abs(c - b) else float(c)


def _peak(f: Function, s: GridSamples, place: int) -> tuple[float | None, bool]:
    """(the maximum around sample ``place``, whether it is a value of f); None where f has a pole."""
    low, high = s.x[max(place - 1, 0)], s.x[min(place + 1, s.x.size - 1)]
    at, best, early = s.x[place], s.v[place], math.inf
    for round_ in range(12):
        x = np.linspace(low, high, _SECTIONS)
        v = f(x)
        if not np.isfinite(v).all():
            return None, False
        k = int(np.argmax(v))
        if v[k] > best:
            at, best = x[k], v[k]
        low, high = x[max(k - 1, 0)], x[min(k + 1, _SECTIONS - 1)]
        early = best if round_ == 4 else early
    if best - early > 1e-3 * s.scale:
        return None, False
    aside = 1e-9 * max(1.0, abs(at))
    beside = f(np.array([at - aside, at + aside]))
    if (np.abs(beside - best) <= 1e-5 * s.scale).all():
        return float(best), True
    # f jumps here. Whether the better side includes the edge shows at the edge, if that is a round number.
    edge = round(float(at), 6)
    (value,) = f(np.array([edge]))
    reached = abs(edge - at) <= aside and value >= best - 1e-9 * s.scale
    return float(max(best, value) if reached else best), bool(reached)


def _reaches(f: Function, s: GridSamples, side: int, limit: float) -> bool:
    """Whether f is flat at its limit from some x on, as ReLU is, or only gets ever closer.

    What is left is 1e-2, 1e-5 and 1e-8 at three places. On the way to a flat part these lie ever closer
    together; on the way to an asymptote they do not (equally far apart for an exponential). The float64
    numbers themselves cannot say: sigmoid(40) is 1.
    """
    x, v = (s.x, s.v) if side > 0 else (s.x[::-1], s.v[::-1])
    places = []
    for left in (1e-2, 1e-5, 1e-8):
        open_ = np.flatnonzero(np.abs(limit - v) > left * s.scale)
        if open_.size == 0:
            return True
        if open_[-1] == x.size - 1:
            return False
        inner, outer = x[open_[-1]], x[open_[-1] + 1]
        for _ in range(12):
            section = np.linspace(inner, outer, _SECTIONS)
            still = np.flatnonzero(np.abs(limit - f(section)) > left * s.scale)
            k = int(still[-1]) if still.size else 0
            inner, outer = section[k], section[min(k + 1, _SECTIONS - 1)]
        places.append(outer)
    if abs(places[2] - places[1]) <= 0.3 * abs(places[1] - places[0]):
        return True
    between = np.flatnonzero(np.abs(limit - v) > 1e-2 * s.scale)  # The tails left out.
    return bool((v[between[0] : between[-1]] >= limit - 1e-12 * s.scale).any())


def _few_values(f: Function, s: GridSamples) -> tuple[float, ...]:
    """Up to four values that f takes everywhere, save single points such as a kink."""
    beside = f(s.x[s.core][:-1] + 0.37 * 2 * CORE / CELLS)  # Kinks tend to lie on the grid.
    v = np.concatenate([beside, s.v[np.abs(s.x) > CORE]])
    unit = float(np.abs(v).max()) or 1.0
    _, first, counts = np.unique(np.round(v / unit, 12), return_index=True, return_counts=True)
    few = len(counts) <= 4 and counts.min() > 1
    return tuple(_digits(float(value), unit) for value in sorted(v[first])) if few else ()


def _digits(value: float, scale: float) -> float:
    """Twelve significant digits: what the search can be sure of."""
    return value if math.isinf(value) else 0.0 if abs(value) < 1e-12 * scale else float(f"{value:.12g}")
