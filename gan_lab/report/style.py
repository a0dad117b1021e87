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

# On the page these become variables of its style sheet, so that one figure serves light and dark.
INK, MUTED, RULE, ACCENT, WARN = "#1c1e21", "#6a6f77", "#d3d6da", "#2b6cb0", "#c2410c"
# Okabe & Ito (2008): told apart with any color vision; of more lines the others are gray.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", ACCENT: "--accent", WARN: "--warn"} | {
    color: f"--line{number}" for number, color in enumerate(PALETTE, 1)
}
COLUMN_WIDTH = 3.3  # inches, of a paper with two columns
_RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "gan-lab",
    "pdf.fonttype": 42,  # whole fonts: publishers refuse Type 3
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
    """Make a figure of this size in inches, with its own canvas: pyplot would keep it in a global list."""
    figure = Figure(figsize=(width, height), facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def hide_spines(axes: Axes, *kept: str) -> None:
    """Leave only these sides of the frame."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in kept)
    axes.set_facecolor("none")


def set_row_labels(axes: Axes, names: list[str], *, shown: bool = True) -> None:
    """Label rows from the top; an underscore or a dollar in a name is just that."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), names if shown else [""] * len(names), parse_math=False)
    axes.tick_params(axis="y", length=0)


def line_color(index: int) -> str:
    """Return the color of the line of that rank, from 0; gray for all beyond the palette."""
    return PALETTE[index] if index < len(PALETTE) else MUTED


def lay_out(figure: Figure) -> Figure:
    """Place everything once; a figure that is saved in several formats would do it again for each."""
    with styled():
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
    return figure


def to_png(figure: Figure) -> bytes:
    return _saved(figure, "png", dpi=160)


def to_pdf(figure: Figure) -> bytes:
    """Return a file for LaTeX, with embedded fonts."""
    return _saved(figure, "pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})


def to_svg(figure: Figure) -> str:
    """Return the text of an SVG without a background."""
    return _saved(figure, "svg", metadata={"Date": None, "Creator": None}, transparent=True).decode()


def on_white(svg: str) -> str:
    """Return a file for documents."""
    end = svg.index(">", svg.index("<svg")) + 1
    return f'{svg[:end]}\n <rect width="100%" height="100%" fill="white"/>{svg[end:]}'


def to_inline_svg(svg: str, name: str, title: str) -> str:
    """Return an ``<svg>`` for the page: its ids are its own, its colors the page's, and it has a title."""
    text = svg[svg.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(xlink:href="|url\()#', rf"\g<1>#{name}-", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, 'DejaVu Sans', sans-serif", text)
    width = re.search(r'<svg[^>]*? width="([\d.]+)pt"', text)
    points = float(width[1]) if width else 600.0
    style = f"width:100%;max-width:{points * 4 / 3:.0f}px"
    head = f'<svg role="img" aria-label="{html.escape(title)}" style="{style}" '
    text = re.sub(r'^<svg([^>]*?) width="[^"]*"', r"<svg\1", text)
    text = re.sub(r'^<svg([^>]*?) height="[^"]*"', r"<svg\1", text)
    return head + text[len("<svg ") :]


def _saved(figure: Figure, kind: str, **options: Any) -> bytes:
    with styled():
        buffer = io.BytesIO()
        figure.savefig(buffer, format=kind, **options)
        return buffer.getvalue()
