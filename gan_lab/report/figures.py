"""Figures of a report. Each takes a part of report.json and computes nothing but places on paper."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan_lab.report.axes import (
    broken_axes,
    is_geometric,
    label_points,
    mark_anchors,
    set_scale,
    split_anchors,
    spread_labels,
)
from gan_lab.report.declared import BETTER
from gan_lab.report.style import (
    ACCENT,
    COLUMN_WIDTH,
    MUTED,
    PALETTE,
    RULE,
    hide_spines,
    line_color,
    new_figure,
    set_row_labels,
    styled,
)
from gan_lab.report.text import learning_label
from gan_lab.utils.text import format_number

Part = Mapping[str, Any]
MOST_ROWS = 40  # of more candidates a figure shows the best
MOST_PANELS = 24
MOST_LABELS = 24
MOST_VALUES = 12


def forest_plot(setting: Part, metric: Part, *, narrow: bool = False) -> Figure:
    """Draw IQMs with intervals, every seed as a dot, and what real data and untrained generators score.

    ``narrow``: as wide as a column or a phone, names above their rows.
    """
    rows = shown_rows(setting)
    values = shown_values(rows)
    near, far = split_anchors(setting, values)
    with styled():
        height = 0.75 + (0.36 if narrow else 0.3) * len(rows)
        figure = new_figure(COLUMN_WIDTH + 0.3 if narrow else 8.6, height + 0.15 * bool(far))
        axes = broken_axes(figure, far, values) if values and far else figure.add_subplot()
        draw_forest_rows(axes, rows, [*values, *near.values()])
        mark_anchors(axes, near)
        names = [row_label(row) for row in rows]
        if narrow:
            set_row_labels(axes, [""] * len(rows), shown=False)
            axes.set_ylim(len(rows) - 0.5, -0.75)
            for y, name in enumerate(names):
                transform = axes.get_yaxis_transform()
                axes.text(0.0, y - 0.3, name, fontsize=8, va="center", transform=transform, parse_math=False)
        elif axes is figure.axes[0]:
            set_row_labels(axes, names)
        else:
            set_row_labels(axes, names, shown=False)
            set_row_labels(figure.axes[0], names)
        axes.set_xlabel(_axis_label(metric), parse_math=False)
        return figure


def shown_rows(setting: Part) -> list[Part]:
    """Return the rows that a figure has room for: the best of those ranked, and then those that are not."""
    return [*setting["rows"], *setting["unranked"]][:MOST_ROWS]


def shown_values(rows: Sequence[Part]) -> list[float]:
    """Return all scores and ends of intervals that are numbers."""
    values = [score["value"] for row in rows for score in row["scores"]]
    values += [end for row in rows for end in row.get("interval") or ()]
    return [float(value) for value in values if value is not None]


def row_label(row: Part) -> str:
    """Return a candidate's name, and what must be known of it."""
    notes = ["reference"] if row.get("reference") else []
    if row["diverged"]:
        notes.append(f"{row['diverged']} of {row['seeds']} diverged")
    if "rank" not in row and row["diverged"] < row["seeds"]:
        notes.append(learning_label(row))
    return f"{row['name']} ({', '.join(notes)})" if notes else str(row["name"])


def draw_forest_rows(
    axes: Axes, rows: Sequence[Part], values: Sequence[float], *, seeds: bool = True
) -> None:
    """Draw the dots and bars of a forest plot, the best candidate on top."""
    hide_spines(axes, "bottom")
    set_scale(axes, "x", values)
    edges = axes.get_xlim()
    for y, row in enumerate(rows):
        ranked = "rank" in row
        color = ACCENT if ranked else MUTED
        if seeds:
            shown = [score["value"] for score in row["scores"] if score["value"] is not None]
            # Dots of equal scores lie side by side.
            heights = [y + 0.11 * ((i % 3) - 1) for i in range(len(shown))]
            axes.scatter(shown, heights, s=13, color=MUTED, alpha=0.55, linewidths=0, zorder=2)
        if ranked and row["iqm"] is not None:
            # An interval that reaches to divergence runs off the paper.
            ends = [edge if end is None else end for edge, end in zip(edges, row["interval"], strict=True)]
            axes.plot(ends, [y, y], color=color, linewidth=2.4, solid_capstyle="butt", zorder=3)
        if row["iqm"] is not None:
            axes.plot([row["iqm"]], [y], marker="D", color=color, markersize=5.5, zorder=4)
    axes.set_xlim(edges)


def curves_together(setting: Part, metric: Part, *, narrow: bool = False) -> Figure | None:
    """Draw the metric over steps, all candidates in one picture; the best in color, named at their end.

    Of more than there is room for, those beyond the best are drawn as a band.
    """
    names = [name for name in setting["order"] if setting["curves"][name]["step"]]
    if not names:
        return None
    curves = {name: _with_gaps(setting["curves"][name]) for name in names}
    values = [v for name in names[:MOST_LABELS] for v in curves[name]["iqm"] if math.isfinite(v)]
    near, far = split_anchors(setting, values)
    with styled():
        figure = new_figure(COLUMN_WIDTH + 0.3 if narrow else 8.6, 2.6 if narrow else 3.9)
        axes = figure.add_subplot()
        hide_spines(axes, "left", "bottom")
        set_scale(axes, "y", [*values, *near.values()])
        labels = []
        drawn = names
        if len(names) > MOST_LABELS and max(len(curves[name]["step"]) for name in names) > 1:
            drawn = names[: len(PALETTE)]
            values += _draw_band(axes, [curves[name] for name in names[len(PALETTE) :]])
            set_scale(axes, "y", [*values, *near.values()])
        for index, name in reversed(list(enumerate(drawn))):
            colored = index < len(PALETTE)
            color = line_color(index) if colored else MUTED
            x, y = curves[name]["step"], curves[name]["iqm"]
            dot = "o" if len(x) == 1 else None
            look: Part = {"linewidth": 1.7} if colored else {"linewidth": 0.9, "alpha": 0.45}
            axes.plot(x, y, color=color, marker=dot, markersize=5, **look)
            if math.isfinite(y[-1]):
                labels.append((y[-1], name, color))
        mark_anchors(axes, near, vertical=False)
        _pad_single_step(axes, [step for name in names for step in curves[name]["step"]])
        axes.set_xlabel("step" + _far_text(far))
        axes.set_ylabel(_axis_label(metric), parse_math=False)
        figure.draw_without_rendering()
        spread_labels(axes, labels, 7.0 if narrow else 8.0)
        return figure


def _draw_band(axes: Axes, curves: Sequence[Part]) -> list[float]:
    """Shade where nine in ten and half of many curves run, at the steps of the longest; return its edges."""
    steps = max((curve["step"] for curve in curves), key=len)
    whole = np.array([curve["iqm"] for curve in curves if curve["step"] == steps])
    finite = whole[np.isfinite(whole).all(axis=1)]
    if not len(finite):
        return []
    edges = np.quantile(finite, [0.05, 0.25, 0.75, 0.95], axis=0)
    for low, high, alpha in ((0, 3, 0.18), (1, 2, 0.3)):
        axes.fill_between(steps, edges[low], edges[high], color=MUTED, alpha=alpha, linewidth=0)
    return [float(edge) for edge in edges.ravel()]


def learning_curves(setting: Part, metric: Part) -> Figure | None:
    """Draw the metric over steps, a panel per candidate: IQM and quartiles, the others in gray."""
    names = [name for name in setting["order"] if setting["curves"][name]["step"]][:MOST_PANELS]
    steps = {step for name in names for step in setting["curves"][name]["step"]}
    if len(names) < 2 or len(steps) < 2:
        return None
    across = min(4, len(names))
    down = math.ceil(len(names) / across)
    curves = {name: _with_gaps(setting["curves"][name]) for name in names}
    values = [v for curve in curves.values() for v in curve["iqm"] if math.isfinite(v)]
    near, _ = split_anchors(setting, values)
    with styled():
        figure = new_figure(10.4 if across > 2 else 7, 0.5 + 1.75 * down)
        panels = list(figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flat)
        for axes, name in zip(panels, names, strict=False):
            hide_spines(axes, "left", "bottom")
            for other in names:
                axes.plot(curves[other]["step"], curves[other]["iqm"], color=RULE, linewidth=0.9, zorder=1)
            curve = curves[name]
            axes.fill_between(
                curve["step"], curve["low"], curve["high"], color=ACCENT, alpha=0.22, linewidth=0
            )
            dot = "o" if len(curve["step"]) < 3 else None
            axes.plot(curve["step"], curve["iqm"], color=ACCENT, linewidth=1.8, marker=dot, markersize=4)
            axes.set_title(name, fontsize=9.5, loc="left", parse_math=False)
            axes.tick_params(labelsize=8)
            for value in near.values():
                axes.axhline(value, color=MUTED, linewidth=0.7, linestyle=(0, (4, 3)), zorder=1)
        for axes in panels[len(names) :]:
            axes.set_visible(False)
        set_scale(figure.axes[0], "y", [*values, *near.values()])
        figure.supxlabel("step", fontsize=9)
        figure.supylabel(metric["name"], fontsize=9, parse_math=False)
        return figure


def cost_plot(setting: Part, metric: Part, *, narrow: bool = False) -> Figure | None:
    """Draw quality against milliseconds per step and seed; hollow marks if costs do not compare."""
    cost = setting["cost"]
    rows = [
        row for row in shown_rows(setting) if cost and row["iqm"] is not None and row["name"] in cost["rows"]
    ]
    if len(rows) < 2 or not cost:
        return None
    with styled():
        figure = new_figure(COLUMN_WIDTH + 0.3 if narrow else 7.6, 2.8 if narrow else 4.4)
        axes = figure.add_subplot()
        hide_spines(axes, "left", "bottom")
        prices = {row["name"]: cost["rows"][row["name"]] for row in rows}
        set_scale(axes, "y", [row["iqm"] for row in rows], pad=0.1)
        set_scale(axes, "x", [price[end] for price in prices.values() for end in ("low", "high")], pad=0.12)
        for row in rows:
            x, price = prices[row["name"]]["ms_per_step"], prices[row["name"]]
            face = ACCENT if cost["fair"] else "none"
            axes.plot(
                [price["low"], price["high"]], [row["iqm"]] * 2, color=ACCENT, alpha=0.45, linewidth=1.5
            )
            axes.plot([x], [row["iqm"]], marker="o", color=ACCENT, markerfacecolor=face, markersize=6)
        axes.set_xlabel(
            "ms per step and seed, without metrics" + ("" if cost["fair"] else "; do not compare")
        )
        axes.set_ylabel(_axis_label(metric), parse_math=False)
        label_points(
            figure, axes, [(prices[row["name"]]["ms_per_step"], row["iqm"], row["name"]) for row in rows]
        )
        return figure


def performance_profile(profile: Part) -> Figure:
    """Draw the share of seeds that score above each threshold, over all settings."""
    styles = ["-", (0, (5, 2)), (0, (1, 1.5))]
    with styled():
        figure = new_figure(7.2, 3.6)
        axes = figure.add_subplot()
        hide_spines(axes, "left", "bottom")
        for index, (name, shares) in enumerate(profile["shares"].items()):
            color, dash = PALETTE[index % len(PALETTE)], styles[index // len(PALETTE) % len(styles)]
            axes.plot(profile["thresholds"], shares, color=color, linestyle=dash, label=" " + name)
        legend = axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
        for text in legend.get_texts():
            text.set_parse_math(False)
        axes.set_xlabel("score, from untrained (0) to real data (1)")
        axes.set_ylabel("share of seeds above it")
        return figure


def settings_plot(settings: Sequence[Part], metric: Part) -> Figure | None:
    """Draw IQM and interval over the values of the one key that varies, a line per candidate."""
    keys = {key for setting in settings for key in setting["values"]}
    points = _numeric_settings(settings)
    if len(keys) != 1 or points is None:
        return None
    order = list(dict.fromkeys(name for setting in settings for name in setting["order"]))[:MOST_LABELS]
    x_values = [x for x, _ in points]
    crowded = len(points) > MOST_VALUES  # lines only, and ticks wherever they fit
    with styled():
        figure = new_figure(8.6, 3.9)
        axes = figure.add_subplot()
        hide_spines(axes, "left", "bottom")
        every: list[float] = []
        labels = []
        for index, name in reversed(list(enumerate(order))):
            rows = [(x, rows[name]) for x, rows in points if name in rows and rows[name]["iqm"] is not None]
            if not rows:
                continue
            color = line_color(index) if index < len(PALETTE) else RULE
            y = [row["iqm"] for _, row in rows]
            every += y
            size = 0 if crowded else 4
            axes.plot([x for x, _ in rows], y, color=color, marker="o", markersize=size, linewidth=1.5)
            for x, row in [] if crowded else rows:
                ends = [end for end in row.get("interval") or () if end is not None]
                every += ends
                if len(ends) == 2 and index < len(PALETTE):
                    axes.plot([x, x], ends, color=color, alpha=0.4, linewidth=1.5)
            labels.append((y[-1], name, color if index < len(PALETTE) else MUTED))
        set_scale(axes, "x", x_values, log=is_geometric(x_values))
        if not crowded:
            axes.set_xticks(x_values, [format_number(x, compact=True) for x in x_values])
            axes.minorticks_off()
        set_scale(axes, "y", every)
        axes.set_xlabel(keys.pop(), parse_math=False)
        axes.set_ylabel(_axis_label(metric), parse_math=False)
        figure.draw_without_rendering()
        spread_labels(axes, labels)
        return figure


def _numeric_settings(settings: Sequence[Part]) -> list[tuple[float, dict[str, Part]]] | None:
    """Return (value, rows by name) of every setting, None if a value is no number."""
    points = []
    for setting in settings:
        try:
            x = float(next(iter(setting["values"].values()), ""))
        except ValueError:
            return None
        points.append((x, {row["name"]: row for row in (*setting["rows"], *setting["unranked"])}))
    return sorted(points, key=lambda point: point[0])


def _axis_label(metric: Part) -> str:
    return f"{metric['name']} ({BETTER[metric['direction']]} is better)"


def _far_text(far: Mapping[str, float]) -> str:
    """Say what lies beyond the axis."""
    texts = [f"{name} {format_number(value)}" for name, value in far.items()]
    return f"        beyond the axis: {', '.join(texts)}" if texts else ""


def _pad_single_step(axes: Axes, steps: Sequence[float]) -> None:
    """Have one step in the middle of an axis that names it, and nothing else."""
    if len(set(steps)) == 1:
        axes.set_xlim(steps[0] - 1, steps[0] + 1)
        axes.set_xticks([steps[0]], [f"{steps[0]:g}"])


def _with_gaps(curve: Part) -> dict[str, list[float]]:
    """Return a curve with its gaps as matplotlib knows them."""
    return {key: [math.nan if value is None else value for value in values] for key, values in curve.items()}
