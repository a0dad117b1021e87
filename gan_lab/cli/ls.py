"""``gan-lab ls``: studies and runs, their state and progress."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("folder", type=click.Path(path_type=Path), default=Path("outputs"), metavar="[STUDY|FOLDER]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
def command(folder: Path, as_json: bool) -> None:
    """List the studies in FOLDER, or the runs of STUDY: state, progress and primary score.

    STUDY is a folder here or under outputs/, FOLDER one of studies; default: outputs.
    The score is the median over seeds of the last evaluation; a diverged seed counts as the worst.
    """
    from gan_lab.runs.listing import listing
    from gan_lab.runs.study import find_folder
    from gan_lab.utils.text import printable

    nothing = folder == Path("outputs") and not folder.exists()
    studies = [] if nothing else listing(folder if folder.is_file() else find_folder(folder, "ls"))
    if as_json:
        click.echo(json.dumps({"studies": studies}, indent=2, allow_nan=False))
        return
    if not studies:
        click.echo(f"no runs in {folder}; start one with: gan-lab train activation=elu")
    for index, study in enumerate(studies):
        lines = _table(study).splitlines()
        click.echo("\n" * (index > 0) + "\n".join(map(printable, lines)))


def _table(study: Mapping[str, Any]) -> str:
    from gan_lab.utils.tables import format_table, terminal_width
    from gan_lab.utils.text import plural

    runs = study["runs"]
    metrics = {run["metric"] for run in runs if run["metric"]}
    shared = metrics.pop() if len(metrics) == 1 else None
    rows: list[tuple[str, ...]] = [
        ("run", "state", "steps", "seeds", "diverged", f"{shared} (median)" if shared else "score", "age")
    ]
    rows += [_row(run, shared is None) for run in runs]
    if not any(run["diverged"] for run in runs):
        rows = [(*row[:4], *row[5:]) for row in rows]
    lines = [f"{study['folder']}  ({plural(len(runs), 'run')})"]
    width = terminal_width()
    table = format_table(rows, left=(0, 1), width=width and width - 2)
    lines += [f"  {line}".rstrip() for line in table] if runs else []
    lines += [f"  damaged: {name}: {why}" for name, why in study["damaged"].items()]
    if study["archived"]:
        lines.append(f"  archived by rerun=true: {study['archived']}")
    return "\n".join(lines)


def _row(run: Mapping[str, Any], named: bool) -> tuple[str, ...]:
    from gan_lab.utils.text import format_duration, format_number

    measured = run["metric"] is not None
    score = format_number(run["median"], "failed") if measured else ""
    return (
        run["run"],
        run["state"],
        f"{run['step']:,}/{run['steps']:,}",
        str(len(run["seeds"])),
        ", ".join(run["diverged"]) or "",
        f"{run['metric']} {score}" if measured and named else score,
        format_duration(run["age_seconds"]),
    )
