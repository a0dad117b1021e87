"""The report as one HTML page that needs nothing but itself."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gan_lab.report import columns, text
from gan_lab.report.analysis import MOST_DETAILED
from gan_lab.report.declared import BETTER
from gan_lab.report.race import declaration, race_lines
from gan_lab.report.style import to_inline_svg
from gan_lab.report.verdict import HEADLINE
from gan_lab.utils.text import format_number

HERE = Path(__file__).parent
ROW_HEIGHT_PX = 44  # of a row of samples on the page
MOST_COMMANDS = 200
_TITLES = {
    "forest": "Forest plot: the score of every seed, with interquartile mean and interval",
    "curves": "Learning curves of all candidates in one picture",
    "panels": "Learning curves, a panel per candidate",
    "health": "Health map: dead, dormant and saturated units by layer, and gradient ratios",
    "grid": "Heat map of generator against discriminator activation",
    "cost": "Cost against quality",
    "profile": "Performance profiles over all settings",
    "settings": "Scores over the settings",
}


def page(report: Mapping[str, Any], svgs: Mapping[str, str], strips: Mapping[str, bytes]) -> str:
    """Return the HTML of a report. svgs: figures by name; strips: pictures of samples by their row's name.

    Names are escaped wherever they stand: whatever is not a figure of ours goes in as text.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "typeset": typeset,
        "number": lambda value: typeset(format_number(value)),
        "better": BETTER.__getitem__,
    }
    settings, overall = report["settings"], report["overall"]
    shown = settings if len(settings) <= MOST_DETAILED else []
    runs = [{**run, "span": text.seed_span(run["seeds"])} for run in report["runs"]]
    metric = report["primary"]["name"]
    return environment.get_template("page.html.jinja").render(
        report=report,
        runs=runs[:MOST_COMMANDS],
        more_runs=max(len(runs) - MOST_COMMANDS, 0),
        race_declaration=declaration(report["race"]) if report["race"] else "",
        race_lines=race_lines(report["race"]) if report["race"] else [],
        css=Markup((HERE / "page.css").read_text()),
        figures={name: Markup(to_inline_svg(svg, name, _title(name))) for name, svg in svgs.items()},
        details=[one for one in report["verdict"]["sentences"] if one["kind"] not in HEADLINE],
        shown=shown,
        rankings=[columns.ranking_table(setting, report) for setting in shown],
        further=[columns.further_table(setting) for setting in shown],
        secondary=[columns.secondary_table(setting) for setting in shown],
        overall_table=columns.overall_table(overall, settings) if overall else None,
        tuned_tables=[(tuned, columns.tuned_table(tuned, metric)) for tuned in report["tuned"]],
        samples=_samples(shown, strips),
        has_health=any(setting["health"] for setting in shown),
        has_grid=any(setting["grid"] for setting in shown),
        has_cost=any(setting["cost"] for setting in shown),
        issues=[run | {"happened": happened} for run in runs if (happened := text.issues(run))],
    )


def typeset(value: str) -> str:
    """Put a minus sign for the hyphen before a number, and a dash where there is nothing."""
    if value == "-":
        return "\N{EN DASH}"
    return " ".join(
        "\N{MINUS SIGN}" + word[1:] if word.startswith("-") and word[1:2].isdigit() else word
        for word in value.split(" ")
    )


def _samples(settings: Sequence[Mapping[str, Any]], strips: Mapping[str, bytes]) -> list[dict[str, Any]]:
    listed = []
    for number, setting in enumerate(settings, 1):
        if setting["samples"] is None:
            continue
        rows = []
        for index, row in enumerate(setting["samples"]["rows"]):
            data = base64.b64encode(strips[f"samples-{number}-{index}"]).decode()
            diverged = "" if row["state"] == "finished" else f", {row['state']}"
            other = "" if row["seed"] == setting["samples"]["seed"] else f", seed {row['seed']}"
            rows.append(
                {
                    **row,
                    "source": f"data:image/png;base64,{data}",
                    "note": f"{other}, step {row['step']:,}{diverged}" if diverged or other else "",
                    "width": ROW_HEIGHT_PX * len(row["boxes"]),
                }
            )
        listed.append({**setting["samples"], "rows": rows, "setting": setting})
    return listed


def _title(name: str) -> str:
    return _TITLES[name.partition("-")[0]]
