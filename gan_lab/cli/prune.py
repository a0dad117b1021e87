"""``gan-lab prune``: what can be removed from the disk, and removing it."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gan_lab.runs.prune import Prunable


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("folders", nargs=-1, metavar="[STUDY|PATH]...")
@click.option("--keep", type=click.IntRange(0), default=0, help="Checkpoints that a finished run keeps.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table; does not ask either.")
def command(folders: tuple[str, ...], keep: int, yes: bool, as_json: bool) -> None:
    """Show what can be removed from the disk, ask, and remove it.

    \b
    Checkpoints of runs that are finished or have diverged. Such a run
    still samples, evaluates and reports; it cannot be continued with more
    steps unless it keeps one (--keep 1).
    Runs that rerun=true has put aside (<run>.before-<time>).
    Caches of image folders that are gone, if no STUDY or PATH is named.

    STUDY is a folder here or under outputs/, PATH a run, a study or a folder of studies; default: outputs.
    Runs that are interrupted or failed keep their checkpoints, and what is in use is left alone.
    """
    from gan_lab.runs.prune import find_lost_caches, find_prunable
    from gan_lab.runs.study import find_study

    outputs = [Path("outputs")] if Path("outputs").is_dir() else []
    items, reasons = find_prunable(
        [find_study(name, "prune") for name in folders] if folders else outputs, keep
    )
    items += [] if folders else find_lost_caches()
    if not as_json:
        _show(items, reasons, keep)
        if items and not yes:
            if not sys.stdin.isatty():
                click.echo("nothing is removed: --yes removes it without asking")
                return
            try:
                yes = click.confirm(f"Free {_megabytes(items)}?")
            except click.Abort:  # Ctrl-C, answered as everywhere
                raise KeyboardInterrupt from None
    removed, failures = _remove(items) if yes else ([], [])
    if as_json:
        rows = [_row(item, removed=item in removed) for item in items]
        click.echo(json.dumps({"items": rows, "left_alone": reasons + failures}, indent=2))
    elif yes and items:
        click.echo("".join(f"left alone: {reason}\n" for reason in failures), nl=False)
        click.echo(f"freed {_megabytes(removed)}")


def _show(items: Sequence["Prunable"], reasons: Sequence[str], keep: int) -> None:
    from gan_lab.utils.paths import relative
    from gan_lab.utils.tables import format_table
    from gan_lab.utils.text import printable

    if items:
        rows = [("what", "where", "size")]
        rows += [(printable(i.what), printable(str(relative(i.folder))), _megabytes([i])) for i in items]
        click.echo("\n".join(format_table([*rows, ("total", "", _megabytes(items))], left=(0, 1))))
    else:
        click.echo("there is nothing to remove")
    for reason in reasons:
        click.echo(f"left alone: {printable(reason)}")
    if keep == 0 and any(item.kind == "checkpoints" for item in items):
        click.echo(
            "Runs without checkpoints still sample, evaluate and report; "
            "they cannot be continued with more steps (--keep 1 leaves that possible)."
        )


def _remove(items: Sequence["Prunable"]) -> tuple[list["Prunable"], list[str]]:
    """Remove what can be removed now; also returns what cannot, a sentence each."""
    from gan_lab.utils.errors import GanLabError, summarize_exception
    from gan_lab.utils.text import printable

    removed, failures = [], []
    for item in items:
        try:
            item.remove()
            removed.append(item)
        except (GanLabError, OSError) as error:
            failures.append(printable(summarize_exception(error, file=item.folder)))
    return removed, failures


def _row(item: "Prunable", *, removed: bool) -> dict[str, object]:
    return {
        "kind": item.kind,
        "what": item.what,
        "folder": str(item.folder),
        "bytes": item.size,
        "removed": removed,
    }


def _megabytes(items: Sequence["Prunable"]) -> str:
    return f"{sum(item.size for item in items) / 1e6:,.1f} MB"
