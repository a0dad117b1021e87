"""What ``gan-lab report`` prints: the sentences of the verdict, tables, and what to type next."""

from collections.abc import Iterator, Mapping
from typing import Any

from gan_lab.report.columns import Table, overall_table, ranking_table, tuned_table
from gan_lab.report.race import declaration, race_lines
from gan_lab.report.text import all_of
from gan_lab.report.verdict import HEADLINE
from gan_lab.utils.tables import format_table, terminal_width

MOST_SETTINGS = 12  # that are printed one by one
MOST_ROWS = 40
Part = Mapping[str, Any]


def lines(report: Part) -> Iterator[str]:
    """Yield the lines of a report, the settings first and what they say together after them."""
    settings, told = report["settings"], report["verdict"]
    yield told["text"]
    yield ""
    for command in told["commands"][:MOST_SETTINGS]:
        yield f"complete it with: {command}"
    if len(told["commands"]) > MOST_SETTINGS:
        yield f"and {len(told['commands']) - MOST_SETTINGS} more commands in report.json"
    if told["commands"]:
        yield from filter(None, [report["origin"]])
        yield ""
    for setting in settings if len(settings) <= MOST_SETTINGS else []:
        if len(settings) > 1:
            yield f"{setting['name']}: {setting['verdict']['text']}"
        yield from _table(ranking_table(setting, report, short=True))
    if report["overall"]:
        yield f"over {all_of(len(settings), 'settings')}"
        yield from _table(overall_table(report["overall"], settings, short=True))
    for tuned in report["tuned"]:
        yield f"each at its own best {tuned['key']}{' at ' + tuned['name'] if tuned['name'] else ''}"
        yield from _table(tuned_table(tuned, report["primary"]["name"], short=True))
    for one in told["sentences"]:
        if one["kind"] not in HEADLINE:
            yield one["text"]
    if report["race"]:
        yield declaration(report["race"])
        yield from race_lines(report["race"])
    for note in report["notes"]:
        yield f"note: {note}"
    for name, reason in report["damaged"].items():
        yield f"damaged: {name}: {reason}"


def _table(table: Table) -> Iterator[str]:
    """Yield a table, = before those who are not shown to be worse than the best."""
    tied = sum(row.kind == "tied" for row in table.rows) > 1
    cells = [["", "activation", *table.headers]]
    for row in table.rows[:MOST_ROWS]:
        mark = "=" if tied and row.kind == "tied" else ""
        name = f"{row.name} ({row.remark})" if row.remark else row.name
        if not row.note:
            cells.append([mark, name, *(_cell(*cell) for cell in row.cells)])
    yield from format_table(cells, left=(0, 1), width=terminal_width(), keys=2)
    if len(table.rows) > MOST_ROWS:
        yield f"and {len(table.rows) - MOST_ROWS} more in report.json"
    for row in table.rows:
        if row.note:
            yield f"{row.name} {row.note}"
    if tied:
        yield "= is not shown to be worse than the best"
    yield ""


def _cell(main: str, below: str) -> str:
    return f"{main} ({below})" if below else main
