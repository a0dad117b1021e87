"""``gan-lab report``: the analysis of a study."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("study", type=click.Path(path_type=Path))
@click.option("--primary", help="Metric to rank by; default: the one that the runs declared.")
@click.option("--reference", help="Activation to compare all others with; default: the declared one.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report; default: STUDY/report.",
)
def command(
    study: Path, primary: str | None, reference: str | None, as_json: bool, output: Path | None
) -> None:
    """Analyze STUDY, a folder such as outputs/digits: ranking, intervals, tests and figures.

    Writes a page (index.html), its numbers (report.json, results.csv) and its figures. A metric or reference
    that is chosen here, after the runs, is marked as such on the page.
    """
    from gan_lab.report.write import write
    from gan_lab.runs.run import Run
    from gan_lab.runs.study import find_study, read_study

    folder = find_study(study)
    output = output or folder / "report"
    report = write(read_study(folder, check=Run.verify), output, primary=primary, reference=reference)
    if as_json:
        click.echo(json.dumps(report, indent=2, allow_nan=False))
        return
    click.echo(report["verdict"]["text"] + "\n")
    for part in [report["overall"]] if report["overall"] else report["settings"]:
        if part.get("name"):
            click.echo(part["name"])
        click.echo("\n".join(_table(part, report["primary"]["name"])) + "\n")
    for note in report["notes"]:
        click.echo(f"note: {note}")
    for name, why in report["damaged"].items():
        click.echo(f"not counted: {name}: {why}")
    click.echo(f"page: {output / 'index.html'}")


def _table(part: Mapping[str, Any], metric: str) -> list[str]:
    from gan_lab.report import text
    from gan_lab.utils.text import format_table

    reference = part["reference"]
    score = f"{metric} (IQM)" if "name" in part else "normalized"
    rows = [("", "activation", score, "interval", f"vs {reference}", "p", "rank", "best", "seeds", "failed")]
    for row in part["rows"]:
        rows.append(
            (
                "=" if row["tied_with_best"] and len(part["tied"]) > 1 else "",
                row["name"],
                text.score(row["iqm"]),
                text.interval(row["interval"]),
                "reference" if row["reference"] else text.signed(row["difference"]),
                text.p_value(row["p_holm"]),
                text.ranks(row["rank_interval"]),
                text.percent(row["p_best"]),
                str(row["seeds"]),
                str(row["failures"]),
            )
        )
    lines = format_table(rows, left=(0, 1))
    if len(part["tied"]) > 1:
        lines.append("= cannot be told from the best")
    return lines
