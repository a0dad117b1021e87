"""The report as one HTML page that needs nothing but itself."""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from gan_lab.report import text
from gan_lab.report.entries import BETTER
from gan_lab.report.style import to_inline_svg
from gan_lab.utils.text import format_number

HERE = Path(__file__).parent
# Height of a row of the wall on the page, in pixels.
ROW_HEIGHT_PX = 44


def page(report: Mapping[str, Any], drawn: Mapping[str, Figure], strips: Mapping[str, bytes]) -> str:
    """HTML of a report. drawn: figures by name; strips: pictures of the wall by their row's name.

    Names are escaped wherever they stand: whatever is not a figure of ours goes in as text.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "number": _typeset(format_number),
        "score": _typeset(text.score),
        "interval": _typeset(text.interval),
        "signed": _typeset(text.signed),
        "percent": _typeset(text.percent),
        "percents": _typeset(text.percents),
        "ranks": _typeset(text.ranks),
        "p": _typeset(text.p_value),
        "better": BETTER.__getitem__,
    }
    runs = [{**run, "span": text.span(run["seeds"])} for run in report["runs"]]
    return environment.get_template("page.html.jinja").render(
        report={**report, "runs": runs},
        css=Markup((HERE / "page.css").read_text()),
        figures={name: Markup(to_inline_svg(figure, name, _title(name))) for name, figure in drawn.items()},
        walls=_walls(report["settings"], strips),
        has_health=any(setting["health"] for setting in report["settings"]),
        has_grid=any(setting["grid"] for setting in report["settings"]),
        trouble=[run | {"happened": said} for run in runs if (said := text.trouble(run))],
    )


def _walls(settings: Sequence[Mapping[str, Any]], strips: Mapping[str, bytes]) -> list[dict[str, Any]]:
    walls = []
    for place, setting in enumerate(settings, 1):
        if setting["wall"] is None:
            continue
        rows = []
        for number, row in enumerate(setting["wall"]["rows"]):
            data = base64.b64encode(strips[f"wall-{place}-{number}"]).decode()
            broken = "" if row["state"] == "finished" else f", {row['state']}"
            other = "" if row["seed"] == setting["wall"]["seed"] else f", seed {row['seed']}"
            rows.append(
                {
                    **row,
                    "source": f"data:image/png;base64,{data}",
                    "note": f"{other}, step {row['step']:,}{broken}" if broken or other else "",
                    "width": ROW_HEIGHT_PX * len(row["boxes"]),
                }
            )
        walls.append({**setting["wall"], "rows": rows, "setting": setting})
    return walls


def _typeset(said: Callable[..., str]) -> Callable[..., str]:
    """With a minus sign for a hyphen, and a dash where there is nothing."""

    def typeset(value: Any) -> str:
        text = said(value)
        return "\N{EN DASH}" if text == "-" else text.replace("-", "\N{MINUS SIGN}")

    return typeset


def _title(name: str) -> str:
    titles = {
        "forest": "Forest plot: the score of every seed, with interquartile mean and interval",
        "curves": "Learning curves of all candidates",
        "health": "Health map: dead, dormant and saturated units by layer, and gradient ratios",
        "grid": "Heat map of generator against discriminator activation",
        "cost": "Cost against quality",
        "profile": "Performance profiles over all settings",
    }
    return titles[name.partition("-")[0]]
