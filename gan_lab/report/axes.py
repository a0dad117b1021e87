"""Axes that follow the data, breaks for what lies far away, and labels that do not overprint."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from gan_lab.report.style import INK, MUTED, hide_spines
from gan_lab.utils.text import format_number

_FACTOR = 20  # Values that spread over more than this factor need a logarithmic axis.
_NEAR = 0.25  # Of the range of the data: what lies no farther away is shown on the same axis.
_BREAK_WIDTH = 0.085  # of the main panel

Part = Mapping[str, Any]


def is_log(values: Sequence[float]) -> bool:
    """Return whether positive values spread over so much that a linear axis hides the small ones."""
    return bool(values) and min(values) > 0 and max(values) / min(values) > _FACTOR


def is_geometric(values: Sequence[float]) -> bool:
    """Return whether positive values were chosen by factors, such as 1e-4, 2e-4, 4e-4, or spread tenfold."""
    steps = sorted(set(values))
    if len(steps) < 2 or steps[0] <= 0:
        return False
    factors = [high / low for low, high in pairwise(steps)]
    return steps[-1] >= 9.99 * steps[0] or (len(factors) > 1 and max(factors) < 1.01 * min(factors))


def set_scale(
    axes: Axes, which: str, values: Sequence[float], pad: float = 0.05, *, log: bool | None = None
) -> None:
    """Set the limits of an axis ("x" or "y") to the values, on a logarithmic scale if they need it.

    log: whether they do; by default, see `is_log`.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    log = is_log(values) if log is None else log
    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        decades = math.log10(max(values) / min(values))
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 3 else (1.0,)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    if values:
        (axes.set_xlim if which == "x" else axes.set_ylim)(*padded(values, pad, log=log))


def padded(values: Sequence[float], pad: float, *, log: bool) -> tuple[float, float]:
    """Return limits around the values, wider by a share of their range; never empty."""
    low, high = min(values), max(values)
    if log:
        factor = (high / low) ** pad
        return low / factor, high * factor
    span = (high - low) or abs(high) or 1.0
    return low - pad * span, high + pad * span


def split_anchors(part: Part, values: Sequence[float]) -> tuple[dict[str, float], dict[str, float]]:
    """Split what real data and untrained generators score into (near the values, far from them)."""
    told = part["anchors"]
    every = {
        "real data": told["real_data"] and told["real_data"]["mean"],
        "untrained": told["untrained"] and told["untrained"]["iqm"],
    }
    known = {name: float(value) for name, value in every.items() if value is not None}
    if not values:
        return known, {}
    log = is_log(values)
    low, high = padded(values, _NEAR, log=log)
    near = {  # nor may such a score make the axis logarithmic
        name: value
        for name, value in known.items()
        if low <= value <= high and is_log([*values, value]) == log
    }
    return near, {name: value for name, value in known.items() if name not in near}


def broken_axes(figure: Figure, far: Mapping[str, float], values: Sequence[float]) -> Axes:
    """Make the main axes, with a narrow panel behind a break for each score that lies far from the data."""
    low = {name: value for name, value in far.items() if value < min(values)}
    high = {name: value for name, value in far.items() if name not in low}
    ratios = [_BREAK_WIDTH] * len(low) + [1.0] + [_BREAK_WIDTH] * len(high)
    panels = list(figure.subplots(1, len(ratios), width_ratios=ratios, squeeze=False).flat)
    main: Axes = panels[len(low)]
    for panel, (name, value) in zip(
        [p for p in panels if p is not main], {**low, **high}.items(), strict=True
    ):
        _break_panel(panel, name, value, left=name in low)
    return main


def mark_anchors(axes: Axes, near: Mapping[str, float], *, vertical: bool = True) -> None:
    """Draw a dashed line at what real data and untrained generators score."""
    for name, value in near.items():
        draw, color = (axes.axvline if vertical else axes.axhline), INK if name == "real data" else MUTED
        draw(value, color=color, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        corner = (value, 1.0) if vertical else (1.0, value)
        axes.annotate(
            name,
            corner,
            xycoords=("data", "axes fraction") if vertical else ("axes fraction", "data"),
            xytext=(3, 2) if vertical else (-2, 2),
            textcoords="offset points",
            ha="left" if vertical else "right",
            fontsize=7.5,
            color=color,
        )


def spread_labels(axes: Axes, labels: Sequence[tuple[float, str, str]], size: float = 8.0) -> None:
    """Write (y, text, color) at the right edge, moved apart so that none overprints another."""
    if not labels:
        return
    height = axes.get_window_extent().height or axes.figure.bbox.height
    step = 1.25 * size * axes.figure.dpi / 72 / height
    to_axes = axes.transData + axes.transAxes.inverted()
    order = sorted(labels, key=lambda label: label[0])
    wanted = [min(max(float(to_axes.transform((1.0, y))[1]), 0.0), 1.0) for y, _, _ in order]
    heights = list(wanted)
    for i in range(1, len(heights)):
        heights[i] = max(heights[i], heights[i - 1] + step)
    over = heights[-1] - 1.0
    if over > 0:  # what does not fit above moves down, and pushes its neighbours
        heights[-1] = 1.0
        for i in range(len(heights) - 2, -1, -1):
            heights[i] = min(heights[i], heights[i + 1] - step)
    for (_, text, color), y in zip(order, heights, strict=True):
        axes.text(
            1.015,
            y,
            text,
            color=color,
            fontsize=size,
            va="center",
            transform=axes.transAxes,
            parse_math=False,
        )


def label_points(
    figure: Figure, axes: Axes, points: Sequence[tuple[float, float, str]], size: float = 8.0
) -> None:
    """Write names beside (x, y) points, each at the first of several places that is still free."""
    figure.draw_without_rendering()
    pixel = figure.dpi / 72
    taken = []
    for x, y, _ in points:
        across, up = axes.transData.transform((x, y))
        taken.append(_box(across - 2 * pixel, up - 2 * pixel, 4 * pixel, 4 * pixel))
    for x, y, name in sorted(points, key=lambda point: -point[1]):
        at = axes.transData.transform((x, y))
        wide, high = 0.62 * size * pixel * len(name), 1.15 * size * pixel
        for dx, dy in _offsets(wide / pixel, high / pixel):
            box = _box(at[0] + dx * pixel, at[1] + dy * pixel, wide, high)
            if not any(_overlap(box, other) for other in taken):
                break
        else:
            continue  # nowhere free: the table has the name
        taken.append(box)
        axes.annotate(
            name,
            (x, y),
            xytext=(dx, dy),
            textcoords="offset points",
            fontsize=size,
            va="bottom",
            arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.4, "shrinkA": 0, "shrinkB": 3}
            if math.hypot(dx, dy) > 16
            else None,
            parse_math=False,
        )


def _break_panel(axes: Axes, name: str, value: float, *, left: bool) -> None:
    """Show one far score in its own narrow panel, with the marks of a broken axis."""
    hide_spines(axes, "bottom")
    color = INK if name == "real data" else MUTED
    axes.set_xlim(-1, 1)
    axes.axvline(0, color=color, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks([])
    axes.set_xticks([0], [format_number(value)])
    axes.set_title(name.replace(" ", "\n"), fontsize=7.5, color=color, pad=2, loc="left" if left else "right")
    marks: Part = {
        "marker": [(-1, -2), (1, 2)],
        "markersize": 7,
        "color": MUTED,
        "clip_on": False,
        "mew": 0.8,
    }
    axes.plot([1.0 if left else 0.0], [0.0], transform=axes.transAxes, **marks)


def _offsets(wide: float, high: float) -> list[tuple[float, float]]:
    """Return places around a point, the nearest first, in points."""
    places = []
    for distance in (5.0, 14.0, 24.0, 36.0):
        right, left = distance, -distance - wide
        for dy in (-high / 2, distance / 2, -high - distance / 2):
            places += [(right, dy), (left, dy)]
        places += [(-wide / 2, distance), (-wide / 2, -high - distance)]
    return places


def _box(x: float, y: float, wide: float, high: float) -> tuple[float, ...]:
    return x, y, x + wide, y + high


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
