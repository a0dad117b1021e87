"""A report on disk: the page, its numbers as JSON and CSV, and its figures."""

import io
import json
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from gan_lab.report import figures, heatmaps
from gan_lab.report.analysis import MOST_DETAILED, Progress, Report, analyze
from gan_lab.report.entries import study_runs
from gan_lab.report.page import page
from gan_lab.report.race import without_others
from gan_lab.report.style import lay_out, on_white, to_pdf, to_png, to_svg
from gan_lab.report.tables import results_rows, to_csv, to_latex
from gan_lab.runs.run import Run
from gan_lab.runs.study import StudyFolder, read_study
from gan_lab.utils.checks import check_choice
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.files import atomic_write

FORMATS = ("png", "svg", "pdf", "tex")
_SAVERS: Mapping[str, Callable[[Figure], bytes]] = {"png": to_png, "pdf": to_pdf}
_GAP = 2  # pixels between the cells of a strip


def read_runs(folder: Path) -> StudyFolder:
    """Read a study for a report; runs whose scores are damaged stay in it, to be named as missing.

    Of a study that was raced only the race's own runs.
    """
    return without_others(read_study(folder, Run.verify))


def write(
    study: StudyFolder,
    folder: Path,
    *,
    primary: str | None = None,
    reference: str | None = None,
    margin: str | None = None,
    formats: Collection[str] = ("png", "svg"),
    progress: Progress = lambda stage, done, total: None,
) -> Report:
    """Write ``index.html``, ``report.json``, ``results.csv`` and ``figures/``; return the report.

    formats: of the figures, any of png, svg, pdf and tex, the last a table of the ranking.
    """
    for kind in formats:
        check_choice("--format", kind, FORMATS)
    everyone = study_runs(study.runs, lambda done: progress("reading", done, len(study.runs)))
    report = analyze(
        study, everyone, primary=primary, reference_name=reference, margin_text=margin, progress=progress
    )
    strips = picture_strips(report)
    for inside in (folder, folder / "figures"):
        if inside.is_symlink():
            raise GanLabError(
                f"{inside} is a link, and a report follows none: remove it, or give -o another folder"
            )
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    svgs = _write_figures(report, folder / "figures", formats, progress)
    for name, picture in {**strips, **sample_grids(report, strips)}.items():
        atomic_write(folder / "figures" / f"{name}.png", picture)
    if "tex" in formats:
        atomic_write(folder / "figures" / "ranking.tex", to_latex(report))
    atomic_write(folder / "results.csv", to_csv(results_rows(everyone)))
    atomic_write(folder / "report.json", json.dumps(report, indent=2, allow_nan=False) + "\n")
    atomic_write(folder / "index.html", page(report, svgs, strips))
    return report


def _write_figures(
    report: Report, folder: Path, formats: Collection[str], progress: Progress
) -> dict[str, str]:
    """Write every figure in all formats; return their SVGs for the page."""
    svgs = {}
    plots = draw(report)
    for done, (name, plot) in enumerate(plots.items()):
        progress("drawing", done, len(plots))
        figure = plot()
        if figure is None:
            continue
        lay_out(figure)
        svgs[name] = to_svg(figure)
        for kind in formats:
            if kind == "svg":
                atomic_write(folder / f"{name}.svg", on_white(svgs[name]))
            elif kind in _SAVERS:
                atomic_write(folder / f"{name}.{kind}", _SAVERS[kind](figure))
    progress("drawing", len(plots), len(plots))
    return svgs


def draw(report: Mapping[str, Any]) -> dict[str, Callable[[], Figure | None]]:
    """Return what draws each figure, by name; of many settings only those over all of them.

    What draws returns None if the report has no numbers for it.
    """
    metric, settings = report["primary"], report["settings"]
    plots: dict[str, Callable[[], Figure | None]] = {}
    if len(settings) > 1:
        plots["settings"] = partial(figures.settings_plot, settings, metric)
    for number, setting in enumerate(settings if len(settings) <= MOST_DETAILED else [], 1):
        if not setting["order"]:
            continue
        for name, plot in (("forest", figures.forest_plot), ("curves", figures.curves_together)):
            plots[f"{name}-{number}"] = partial(plot, setting, metric)
            plots[f"{name}-{number}-narrow"] = partial(plot, setting, metric, narrow=True)
        plots[f"panels-{number}"] = partial(figures.learning_curves, setting, metric)
        plots[f"cost-{number}"] = partial(figures.cost_plot, setting, metric)
        if setting["health"]:
            plots[f"health-{number}"] = partial(heatmaps.health_map, setting, metric)
        if setting["grid"]:
            plots[f"grid-{number}"] = partial(heatmaps.pairwise_heatmap, setting["grid"], metric)
    if report["overall"] and report["overall"]["profile"]:
        plots["profile"] = partial(figures.performance_profile, report["overall"]["profile"])
    return plots


def picture_strips(report: Mapping[str, Any]) -> dict[str, bytes]:
    """Cut a PNG strip for every row of samples from the pictures of the runs."""
    strips = {}
    for number, setting in enumerate(report["settings"], 1):
        for index, row in enumerate(setting["samples"]["rows"] if setting["samples"] else []):
            strips[f"samples-{number}-{index}"] = _strip(Path(row["path"]), row["boxes"])
    return strips


def sample_grids(report: Mapping[str, Any], strips: Mapping[str, bytes]) -> dict[str, bytes]:
    """Draw all rows of samples of a setting as one labeled picture, for those who show it elsewhere."""
    grids = {}
    for number, setting in enumerate(report["settings"], 1):
        rows = setting["samples"]["rows"] if setting["samples"] else []
        if rows:
            named = [(row["name"], strips[f"samples-{number}-{index}"]) for index, row in enumerate(rows)]
            across = 4 if setting["samples"]["kind"] == "points" else 1
            grids[f"samples-{number}"] = to_png(heatmaps.image_grid(named, across))
    return grids


def _strip(path: Path, boxes: list[list[int]]) -> bytes:
    """Put the cells side by side."""
    with Image.open(path) as picture:
        cells = [picture.convert("RGBA").crop(box) for box in map(tuple, boxes)]
    width = sum(cell.width + _GAP for cell in cells) - _GAP
    strip = Image.new("RGBA", (width, max(cell.height for cell in cells)))
    left = 0
    for cell in cells:
        strip.paste(cell, (left, 0))
        left += cell.width + _GAP
    buffer = io.BytesIO()
    strip.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
