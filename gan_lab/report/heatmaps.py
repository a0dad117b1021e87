"""Heat maps: units and gradients of each candidate, generator against discriminator; and pictures in rows."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from gan_lab.report.figures import draw_forest_rows, shown_rows, shown_values
from gan_lab.report.style import ACCENT, INK, WARN, hide_spines, new_figure, set_row_labels, styled
from gan_lab.report.text import DIVERGED_SCORE
from gan_lab.utils.text import format_number

QUANTITIES = {"dead": "dead units, %", "dormant": "dormant units, %", "saturated": "saturated, %"}
MOST_PAIRS = 24  # activations of a network
MAX_ALPHA = 0.7  # so that ink stays legible on the darkest cell, in light and in dark

Part = Mapping[str, Any]


def health_map(setting: Part, metric: Part) -> Figure:
    """Draw a row per candidate and a block per network: score, shares of units by layer, gradient ratio."""
    rows = shown_rows(setting)
    names = [row["name"] for row in rows]
    networks = setting["health"]
    with styled():
        figure = new_figure(11, len(networks) * (1.2 + 0.3 * len(names)))
        blocks = figure.subfigures(len(networks), 1, squeeze=False).flat
        for block, (network, told) in zip(blocks, networks.items(), strict=True):
            block.suptitle(network, fontsize=10.5, x=0.01, ha="left", fontweight="bold")
            wide = max(2.0, 0.55 * len(told["sites"]))
            panels = block.subplots(1, 5, width_ratios=[3.2, wide, wide, wide, 1.2])
            draw_forest_rows(panels[0], rows, shown_values(rows), seeds=False)
            set_row_labels(panels[0], names)
            panels[0].set_title(metric["name"], fontsize=9, loc="left", pad=14, parse_math=False)
            panels[0].tick_params(axis="x", labelsize=8)
            for axes, (quantity, title) in zip(panels[1:4], QUANTITIES.items(), strict=True):
                cells = [told["candidates"][name]["sites"][quantity] for name in names]
                _shares(axes, cells, told["sites"], title)
            _ratios(panels[4], [told["candidates"][name]["gradient_ratio"] for name in names])
        return figure


def pairwise_heatmap(table: Part, metric: Part) -> Figure:
    """Draw the generator's activations as rows, the discriminator's as columns; the better, the darker."""
    values = [value for line in table["values"] for value in line if value is not None]
    margins = table["generator_margin"] is not None
    rows, columns = list(table["generators"])[:MOST_PAIRS], list(table["discriminators"])[:MOST_PAIRS]
    across, down, extra = len(columns), len(rows), 1.3 * margins
    with styled():
        figure = new_figure(2.4 + 0.85 * (across + extra), 1.5 + 0.42 * (down + extra))
        axes = figure.add_subplot()
        hide_spines(axes)

        def cell(x: float, y: float, value: float | None, text: str | None = None) -> None:
            _cell(axes, x, y, value, _strength(value, values, metric["direction"]), text)

        for y in range(down):
            for x in range(across):
                cell(x, y, table["values"][y][x], None if table["tried"][y][x] else "")
        if margins:
            for y in range(down):
                cell(across + 0.3, y, table["generator_margin"][y])
            for x in range(across):
                cell(x, down + 0.3, table["discriminator_margin"][x])
        axes.set_xlim(-0.5, across - 0.5 + extra)
        axes.set_ylim(down - 0.5 + extra, -0.5)
        ticks: Part = {"rotation": 30, "ha": "left", "rotation_mode": "anchor", "parse_math": False}
        axes.set_xticks([*range(across), *[across + 0.3] * margins], columns + ["all"] * margins, **ticks)
        axes.set_yticks([*range(down), *[down + 0.3] * margins], rows + ["all"] * margins, parse_math=False)
        axes.xaxis.tick_top()
        axes.xaxis.set_label_position("top")
        axes.tick_params(length=0)
        axes.set_xlabel("discriminator")
        axes.set_ylabel("generator")
        return figure


def _shares(axes: Axes, cells: Sequence[Sequence[float | None]], sites: Sequence[str], title: str) -> None:
    hide_spines(axes)
    for y, line in enumerate(cells):
        for x, value in enumerate(line):
            _cell(axes, x, y, value, value or 0.0, "" if value is None else f"{100 * value:.0f}", WARN)
    axes.set_xlim(-0.5, max(len(sites), 1) - 0.5)
    set_row_labels(axes, [""] * len(cells), shown=False)
    axes.set_title(title, fontsize=9, loc="left", pad=14)
    axes.xaxis.tick_top()
    short = [site.removeprefix("hidden.") for site in sites]
    axes.set_xticks(range(len(sites)), short, fontsize=8, parse_math=False)
    axes.tick_params(length=0, pad=1)


def _ratios(axes: Axes, ratios: Sequence[float | None]) -> None:
    hide_spines(axes)
    for y, ratio in enumerate(ratios):
        away = 0.0 if ratio is None else 1.0 if ratio <= 0 else min(abs(math.log10(ratio)) / 6, 1.0)
        _cell(axes, 0, y, ratio, away, format_number(ratio), WARN)
    axes.set_xlim(-0.5, 0.5)
    set_row_labels(axes, [""] * len(ratios), shown=False)
    axes.set_xticks([])
    axes.set_title("gradient ratio", fontsize=9, loc="left", pad=14)


def _cell(
    axes: Axes,
    x: float,
    y: float,
    value: float | None,
    strength: float,
    text: str | None = None,
    color: str = ACCENT,
) -> None:
    axes.add_patch(
        Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=color, alpha=0.04 + MAX_ALPHA * strength, lw=0)
    )
    shown = format_number(value, DIVERGED_SCORE) if text is None else text
    axes.text(x, y, shown, ha="center", va="center", fontsize=8, color=INK)


def _strength(value: float | None, values: Sequence[float], direction: str) -> float:
    """Return 0 for the worst value, 1 for the best."""
    if value is None or max(values) == min(values):
        return 0.0
    share = (value - min(values)) / (max(values) - min(values))
    return 1 - share if direction == "min" else share


def image_grid(rows: Sequence[tuple[str, bytes]], across: int) -> Figure:
    """Draw named pictures (PNG), ``across`` in a line; one alone in its line is named at its left."""
    pictures = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for _, data in rows]
    height, width = pictures[0].shape[:2]
    lines = math.ceil(len(rows) / across)
    with styled():
        figure = new_figure(8, lines * 8 / across * height / width + 0.3)
        panels = list(figure.subplots(lines, across, squeeze=False).flat)
        for axes in panels:
            axes.axis("off")
        for axes, (name, _), picture in zip(panels, rows, pictures, strict=False):
            axes.imshow(picture, interpolation="nearest")
            if across > 1:
                axes.set_title(name, fontsize=9, parse_math=False)
            else:
                axes.text(
                    -0.01, 0.5, name, transform=axes.transAxes, ha="right", va="center", parse_math=False
                )
    return figure
