"""What all figures share: colors, sizes, and how a figure becomes a file or a part of the page."""

import html
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# On the page these five become variables of its style sheet, so that one figure serves light and dark.
INK, MUTED, RULE, ACCENT, WARN = "#1c1e21", "#6a6f77", "#d3d6da", "#2b6cb0", "#c2410c"
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", ACCENT: "--accent", WARN: "--warn"}
_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "gan-lab",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.formatter.useoffset": False,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in gan-lab's style, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_RC)
        yield


def new_figure(width: float, height: float) -> Figure:
    """A figure in inches, with an own canvas: pyplot would keep it in a global list."""
    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def hide_spines(axes: Axes, *sides: str) -> None:
    """Leave only these sides of the frame."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in sides)
    axes.set_facecolor("none")


def set_row_labels(axes: Axes, names: list[str], *, shown: bool = True) -> None:
    """Names as rows from the top; an underscore or a dollar in a name is just that."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names if shown else [""] * len(names), parse_math=False)
    axes.tick_params(axis="y", length=0)


def png(figure: Figure) -> bytes:
    return _saved(figure, "png", dpi=160)


def svg(figure: Figure) -> bytes:
    """A file for documents, on white."""
    return _saved(figure, "svg", metadata={"Date": None, "Creator": None})


def to_inline_svg(figure: Figure, name: str, title: str) -> str:
    """An ``<svg>`` for the page: its ids are its own, its colors the page's, and it has a title."""
    text = _saved(figure, "svg", metadata={"Date": None, "Creator": None}, transparent=True).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="|url\()#', rf"\g<1>#{name}-", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, 'DejaVu Sans', sans-serif", text)
    width = re.search(r'<svg[^>]*? width="([\d.]+)pt"', text)
    points = float(width[1]) if width else 600.0
    size = f"width:100%;max-width:{points * 4 / 3:.0f}px"
    head = f'<svg role="img" aria-label="{html.escape(title)}" style="{size}" '
    text = re.sub(r'^<svg([^>]*?) width="[^"]*"', r"<svg\1", text)
    text = re.sub(r'^<svg([^>]*?) height="[^"]*"', r"<svg\1", text)
    return head + text[len("<svg ") :]


def _saved(figure: Figure, kind: str, **how: Any) -> bytes:
    with styled():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, **how)
        return buffer.getvalue()
