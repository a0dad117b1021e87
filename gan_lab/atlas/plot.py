"""The atlas as a picture: small multiples of f and f'."""

import math
from collections.abc import Sequence
from pathlib import Path

from gan_lab.atlas.describe import Description
from gan_lab.atlas.facts import Interval
from gan_lab.atlas.table import format_compact, interval
from gan_lab.utils.errors import ConfigurationError

FORMATS = (".png", ".svg")
_VALUE, _DERIVATIVE, _INK = "#1f5fa8", "#d1661f", "#444444"


def check_format(path: Path) -> None:
    """Raise ConfigurationError if a picture cannot be written under that name."""
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(f"--output must end in .png or .svg, got {path}")


def plot(descriptions: Sequence[Description], path: Path) -> None:
    """Write the picture of all rows; PNG or SVG by the name of the file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    check_format(path)
    columns = min(len(descriptions), 5)
    rows = math.ceil(len(descriptions) / columns)
    layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.08)
    figure = Figure(figsize=(3.1 * columns, 2.9 * rows + 0.4), layout=layout)
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, description in zip(grid.flat, descriptions, strict=False):
        curves = description.facts.curves
        axes.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes.axvline(0, color="0.8", linewidth=0.8, zorder=0)
        if curves is not None:
            axes.plot(curves[0], curves[1], color=_VALUE, linewidth=1.8, label="f")
            axes.plot(curves[0], curves[2], color=_DERIVATIVE, linewidth=1.4, label="f'", dashes=(4, 1.5))
        else:
            axes.text(0, 1, "?", ha="center", va="center", fontsize=24, color=_INK)
        axes.set_title(
            _title(description), fontsize=8, color=_INK, loc="left", linespacing=1.35, parse_math=False
        )
        name = {"fontsize": 9, "fontweight": "bold", "parse_math": False}
        axes.annotate(
            description.name, (0, 1), (0, 30), xycoords="axes fraction", textcoords="offset points", **name
        )
        axes.set(xlim=(-5, 5), ylim=(-2.2, 3.2), xticks=(-4, -2, 0, 2, 4), yticks=(-2, -1, 0, 1, 2, 3))
        axes.tick_params(labelsize=7, colors=_INK, length=2)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid.flat[len(descriptions) :]:
        axes.set_visible(False)
    for column in range(columns):
        lowest = rows - 1 if (rows - 1) * columns + column < len(descriptions) else rows - 2
        grid[lowest, column].tick_params(labelbottom=True)
    lines = {
        label: line
        for axes in grid.flat
        for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if lines:
        figure.legend(lines.values(), lines.keys(), loc="outside upper right", ncols=2, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _title(description: Description) -> str:
    facts = description.facts
    on = "" if facts.sampled_on is None else f" on {interval(Interval(*facts.sampled_on))}"
    return (
        f"\nrange {interval(facts.range)}, derivative {interval(facts.derivative)}{on}\n"
        f"Lipschitz {format_compact(facts.lipschitz)}, "
        f"gains {format_compact(facts.gain_fwd)} fwd, {format_compact(facts.gain_bwd)} bwd"
    )
