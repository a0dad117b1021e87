"""Figures of a report. Each takes a part of report.json and computes nothing but places on paper."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from gan_lab.report.entries import BETTER
from gan_lab.report.style import (
    ACCENT,
    INK,
    MUTED,
    RULE,
    WARN,
    hide_spines,
    new_figure,
    set_row_labels,
    styled,
)

# Panels of learning curves; of more candidates the best ones are shown.
PANELS = 24
_DECADES = 1.3  # beyond a factor of 20 a linear axis shows nothing of the small values

Part = Mapping[str, Any]


def forest_plot(setting: Part, metric: Part) -> Figure:
    """IQM with interval, every seed as a dot, and what real data score."""
    rows = setting["rows"]
    with styled():
        figure = new_figure(8.6, 0.9 + 0.36 * len(rows))
        axes = figure.add_subplot()
        draw_forest_rows(axes, setting, metric, seeds=True)
        set_row_labels(axes, [row["name"] + (" (reference)" if row["reference"] else "") for row in rows])
        axes.set_xlabel(f"{metric['name']} ({BETTER[metric['direction']]} is better)", parse_math=False)
        for place, row in enumerate(rows):
            if row["failures"]:
                said = f"{row['failures']} of {row['seeds']} failed"
                axes.text(1.01, place, said, color=WARN, va="center", transform=axes.get_yaxis_transform())
        return figure


def draw_forest_rows(axes: Axes, setting: Part, metric: Part, *, seeds: bool) -> None:
    """The dots and bars of a forest plot, best candidate on top."""
    hide_spines(axes, "bottom")
    rows = setting["rows"]
    values = [score["value"] for row in rows for score in row["scores"] if score["value"] is not None]
    _scale(axes, "x", [*values, setting["real_data"]])
    for place, row in enumerate(rows):
        if seeds:
            shown = [score["value"] for score in row["scores"] if score["value"] is not None]
            # Dots of equal scores lie side by side.
            height = [place + 0.11 * ((i % 3) - 1) for i in range(len(shown))]
            axes.scatter(shown, height, s=13, color=MUTED, alpha=0.55, linewidths=0, zorder=2)
        if row["iqm"] is not None:
            axes.plot([row["iqm"]], [place], marker="D", color=ACCENT, markersize=5.5, zorder=4)
    if setting["real_data"] is not None:
        axes.axvline(setting["real_data"], color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            "real data",
            (setting["real_data"], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 2),
            textcoords="offset points",
            fontsize=8,
        )
    axes.margins(x=0.03)
    edges = axes.get_xlim()
    for place, row in enumerate(rows):
        # An interval that reaches to failure runs off the paper.
        ends = [edge if end is None else end for edge, end in zip(edges, row["interval"], strict=True)]
        if row["iqm"] is not None:
            axes.plot(ends, [place, place], color=ACCENT, linewidth=2.4, solid_capstyle="butt", zorder=3)
    axes.set_xlim(edges)


def learning_curves(setting: Part, metric: Part) -> Figure:
    """The metric over steps, a panel a candidate: IQM and quartiles of its seeds, the others in gray."""
    names = [row["name"] for row in setting["rows"] if setting["curves"][row["name"]]["step"]][:PANELS]
    across = min(4, len(names))
    down = math.ceil(len(names) / across)
    with styled():
        figure = new_figure(10.4 if across > 2 else 7, 0.5 + 1.75 * down)
        panels = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
        told = {name: _numbers(setting["curves"][name]) for name in names}
        values = [v for curve in told.values() for v in curve["iqm"]]
        for axes, name in zip(panels, names, strict=False):
            hide_spines(axes, "left", "bottom")
            for other in names:
                axes.plot(told[other]["step"], told[other]["iqm"], color=RULE, linewidth=0.9, zorder=1)
            own = told[name]
            axes.fill_between(own["step"], own["low"], own["high"], color=ACCENT, alpha=0.22, linewidth=0)
            marker = "o" if len(own["step"]) < 3 else None
            axes.plot(own["step"], own["iqm"], color=ACCENT, linewidth=1.8, marker=marker, markersize=4)
            if setting["real_data"] is not None:
                axes.axhline(setting["real_data"], color=INK, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
            axes.set_title(name, fontsize=9.5, loc="left", parse_math=False)
            axes.tick_params(labelsize=8)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        _scale(figure.axes[0], "y", [*values, setting["real_data"]])
        figure.supxlabel("step", fontsize=9)
        figure.supylabel(metric["name"], fontsize=9, parse_math=False)
        return figure


def cost_plot(setting: Part, metric: Part) -> Figure | None:
    """Quality against milliseconds a step and seed."""
    rows = [row for row in setting["rows"] if row["iqm"] is not None and row["ms_per_step"]]
    if len(rows) < 2:
        return None
    with styled():
        figure = new_figure(7.2, 4.0)
        axes = figure.add_subplot()
        hide_spines(axes, "left", "bottom")
        _scale(axes, "y", [row["iqm"] for row in rows])
        for row in rows:
            low, high = (row["iqm"] if end is None else end for end in row["interval"])
            axes.plot([row["ms_per_step"]] * 2, [low, high], color=ACCENT, alpha=0.45, linewidth=2)
            axes.plot([row["ms_per_step"]], [row["iqm"]], marker="o", color=ACCENT, markersize=6)
        _labels(axes, [(row["ms_per_step"], row["iqm"], row["name"]) for row in rows])
        axes.set_xlabel("ms a step and seed, metrics and diagnostics aside")
        axes.set_ylabel(f"{metric['name']} ({BETTER[metric['direction']]} is better)", parse_math=False)
        axes.margins(x=0.12)
        return figure


def performance_profile(told: Part) -> Figure:
    """Share of runs that score above a normalized score, over all settings."""
    with styled():
        figure = new_figure(7.2, 3.6)
        axes = figure.add_subplot()
        hide_spines(axes, "left", "bottom")
        styles = ["-", (0, (5, 2)), (0, (1, 1.5)), (0, (4, 1.5, 1, 1.5))]
        for place, (name, shares) in enumerate(told["shares"].items()):
            color = (ACCENT, WARN, MUTED, INK)[place // 4 % 4]
            axes.plot(told["thresholds"], shares, color=color, linestyle=styles[place % 4], label=" " + name)
        legend = axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
        for text in legend.get_texts():
            text.set_parse_math(False)
        axes.set_xlabel("normalized score (higher is better)")
        axes.set_ylabel("share of seeds above it")
        return figure


def _scale(axes: Axes, which: str, values: Sequence[float | None]) -> None:
    """Logarithmic where positive values spread over more than a factor of 20."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if known and min(known) > 0 and math.log10(max(known) / min(known)) > _DECADES:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis = axes.xaxis if which == "x" else axes.yaxis
        decades = math.log10(max(known) / min(known))
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 3 else (1.0,)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(lambda value, _: f"{value:g}")


def _numbers(curve: Part) -> dict[str, list[float]]:
    """A curve with its gaps as matplotlib knows them."""
    return {key: [math.nan if value is None else value for value in own] for key, own in curve.items()}


def _labels(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Names to the right of their points; where two points are close, alternately above and below."""
    for place, (x, y, name) in enumerate(sorted(points)):
        axes.annotate(
            name,
            (x, y),
            xytext=(6, 5 if place % 2 else -11),
            textcoords="offset points",
            fontsize=8.5,
            parse_math=False,
        )
