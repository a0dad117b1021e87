"""A report on disk: the page, its numbers as JSON and CSV, and its figures."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from gan_lab.report import figures, heatmaps
from gan_lab.report.analysis import analyze, table
from gan_lab.report.page import page
from gan_lab.report.style import png, svg
from gan_lab.runs.study import Study
from gan_lab.utils.files import atomic_write

Report = dict[str, Any]
_GAP = 2  # pixels between the cells of a strip


def write(study: Study, folder: Path, *, primary: str | None = None, reference: str | None = None) -> Report:
    """Write ``index.html``, ``report.json``, ``results.csv`` and ``figures/``; returns the report."""
    report = analyze(study, primary_asked=primary, reference_asked=reference)
    drawn, strips = draw(report), pictures(report)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    for name, figure in drawn.items():
        atomic_write(folder / "figures" / f"{name}.png", png(figure))
        atomic_write(folder / "figures" / f"{name}.svg", svg(figure))
    for name, picture in {**strips, **walls(report, strips)}.items():
        atomic_write(folder / "figures" / f"{name}.png", picture)
    atomic_write(folder / "results.csv", _csv(table(study)))
    atomic_write(folder / "report.json", json.dumps(report, indent=2, allow_nan=False) + "\n")
    atomic_write(folder / "index.html", page(report, drawn, strips))
    return report


def draw(report: Mapping[str, Any]) -> dict[str, Figure]:
    """All figures that the report has numbers for, by name."""
    drawn: dict[str, Figure | None] = {}
    metric = report["primary"]
    for place, setting in enumerate(report["settings"], 1):
        drawn[f"forest-{place}"] = figures.forest_plot(setting, metric)
        if any(curve["step"] for curve in setting["curves"].values()):
            drawn[f"curves-{place}"] = figures.learning_curves(setting, metric)
        if setting["health"]:
            drawn[f"health-{place}"] = heatmaps.health_map(setting, metric)
        if setting["grid"]:
            drawn[f"grid-{place}"] = heatmaps.pairwise_heatmap(setting["grid"], metric)
        drawn[f"cost-{place}"] = figures.cost_plot(setting, metric)
    if report["overall"] and report["overall"].get("profile"):
        drawn["profile"] = figures.performance_profile(report["overall"]["profile"])
    return {name: figure for name, figure in drawn.items() if figure is not None}


def pictures(report: Mapping[str, Any]) -> dict[str, bytes]:
    """A PNG strip for every row of every wall, cut from the pictures of the runs."""
    strips = {}
    for place, setting in enumerate(report["settings"], 1):
        for number, row in enumerate(setting["wall"]["rows"] if setting["wall"] else []):
            strips[f"wall-{place}-{number}"] = _strip(Path(row["path"]), row["boxes"])
    return strips


def walls(report: Mapping[str, Any], strips: Mapping[str, bytes]) -> dict[str, bytes]:
    """All rows of a wall as one labelled picture, for those who show it elsewhere."""
    made = {}
    for place, setting in enumerate(report["settings"], 1):
        rows = setting["wall"]["rows"] if setting["wall"] else []
        if rows:
            named = [(row["name"], strips[f"wall-{place}-{number}"]) for number, row in enumerate(rows)]
            across = 4 if setting["wall"]["kind"] == "points" else 1
            made[f"wall-{place}"] = png(heatmaps.image_grid(named, across))
    return made


def _strip(path: Path, boxes: list[list[int]]) -> bytes:
    """The cells side by side."""
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


def _csv(lines: list[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    columns = list(dict.fromkeys(key for line in lines for key in line))
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()
