"""``gan-lab report``: the analysis of a study."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("study", type=click.Path(path_type=Path), required=False)
@click.option("--primary", help="Metric to rank by; default: the one that the runs declared.")
@click.option("--reference", help="Activation to compare all others with; default: the declared one.")
@click.option("--margin", help="Smallest difference that matters; default: the declared report.margin.")
@click.option(
    "--format",
    "formats",
    default="png,svg",
    show_default=True,
    help="Files of the figures: png, svg, pdf with embedded fonts; tex, a table of the ranking.",
)
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report; default: STUDY/report.",
)
def command(
    study: Path | None,
    primary: str | None,
    reference: str | None,
    margin: str | None,
    formats: str,
    as_json: bool,
    output: Path | None,
) -> None:
    """Analyze STUDY, a folder such as outputs/digits: ranking, intervals, tests and figures.

    Writes a page (index.html), its numbers (report.json, results.csv) and its figures. A metric, a reference
    or a margin that is chosen here, after the runs, is marked as such on the page.
    """
    from gan_lab.report.tensorboard import refresh_overview
    from gan_lab.report.terminal import lines
    from gan_lab.report.write import read_runs, write
    from gan_lab.runs.study import find_study

    folder = find_study(study)
    if output is None:  # what may be written into the study
        refresh_overview(folder)
    output = output or folder / "report"
    report = write(
        read_runs(folder),
        output,
        primary=primary,
        reference=reference,
        margin=margin,
        formats=[kind.strip() for kind in formats.split(",") if kind.strip()],
        progress=_progress_bar(),
    )
    if as_json:
        click.echo(json.dumps(report, indent=2, allow_nan=False))
        return
    for line in lines(report):
        click.echo(line)
    click.echo(f"page: {output / 'index.html'}")


def _progress_bar() -> Callable[[str, int, int], None]:
    """Return what shows (stage, done, total), one bar per stage."""
    from gan_lab.utils.progress import progress_bar

    units = {"reading": "run", "comparing": "setting", "drawing": "figure"}
    bars: dict[str, Any] = {}

    def show(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            for bar in bars.values():
                bar.close()
            bars[stage] = progress_bar(stage, total=total, unit=units[stage], leave=False)
        bars[stage].update(done - bars[stage].n)
        if done >= total:
            bars[stage].close()

    return show
