"""The tables of a report as text, for the page and the terminal; columns that say nothing are left out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gan_lab.report import text
from gan_lab.report.declared import BETTER
from gan_lab.utils.text import format_number

Part = Mapping[str, Any]
Cell = tuple[str, str]  # its text, and a second, smaller line
_NOTHING = ("-", "")


@dataclass(frozen=True)
class Row:
    """kind: ranked, tied (with the best), unranked, incomplete, or anchor (real data, untrained).

    remark: text after the name; note: text in place of all cells.
    """

    kind: str
    name: str
    remark: str = ""
    cells: list[Cell] = field(default_factory=list)
    note: str = ""


@dataclass(frozen=True)
class Table:
    headers: list[str]
    rows: list[Row]


@dataclass(frozen=True)
class Column:
    """short: its header on a terminal, empty if it is not shown there."""

    header: str
    short: str
    cell: Callable[[Part], Cell]


def ranking_table(setting: Part, report: Part, *, short: bool = False) -> Table:
    """Return the ranking of one setting: real data, who is ranked, who is not, untrained, who is missing."""
    metric = report["primary"]["name"]
    columns = _filled(_ranking_columns(setting, metric), setting["rows"] or setting["unranked"], short)
    rows = [
        Row(_kind(row, setting), row["name"], _remark(row), [column.cell(row) for column in columns])
        for row in setting["rows"]
    ]
    rows += [
        Row("unranked", row["name"], _remark(row), [_unranked_cell(column, row) for column in columns])
        for row in setting["unranked"]
    ]
    real, untrained = setting["anchors"]["real_data"], setting["anchors"]["untrained"]
    if real:
        spread = (
            f"sd {format_number(real['sd'])} over {len(real['draws'])} draws"
            if real["sd"] is not None
            else ""
        )
        rows.insert(0, _anchor("real data", (format_number(real["mean"]), spread), columns))
    if untrained:
        span = f"{format_number(untrained['low'])} to {format_number(untrained['high'])}"
        rows.append(_anchor("untrained generator", (format_number(untrained["iqm"]), span), columns))
    rows += [
        Row("incomplete", one["name"], note=f"incomplete: {one['reason']}") for one in setting["incomplete"]
    ]
    rows += [Row("incomplete", name, note="not tried here") for name in setting["untried"]]
    return Table([column.short if short else column.header for column in columns], rows)


def overall_table(overall: Part, settings: Sequence[Part], *, short: bool = False) -> Table:
    """Return the comparison over all settings, on the scale from untrained to real data."""
    reference = overall["reference"]
    columns = [
        Column("score, 0 untrained, 1 real data", "score", lambda row: _value(row["iqm"], row["interval"])),
        Column(f"difference to {reference}", f"vs {reference}", lambda row: _difference(row)),
        Column(f"P(beats {reference})", "", lambda row: _share(row["p_better"], row["p_better_interval"])),
        Column("p (worse)", "p worse", lambda row: (text.p_value(row["p_worse"]), "")),
        Column("rank", "rank", lambda row: (text.ranks(row["rank_interval"]), "")),
        Column("P(best)", "best", lambda row: (text.percent(row["p_best"]), "")),
        Column("best at", "", lambda row: (_leads(row, settings), "")),
        Column("seeds", "seeds", lambda row: (_seeds_per_setting(row["seeds"]), "")),
        Column("diverged", "diverged", lambda row: (_count(row["diverged"]), "")),
    ]
    columns = _filled(columns, overall["rows"], short)
    rows = [
        Row(_kind(row, overall), row["name"], _remark(row), [column.cell(row) for column in columns])
        for row in overall["rows"]
    ]
    rows += [Row("incomplete", name, note="not tried in every setting") for name in overall["untried"]]
    return Table([column.short if short else column.header for column in columns], rows)


def tuned_table(tuned: Part, metric: str, *, short: bool = False) -> Table:
    """Return the comparison of candidates at their own best value of a tuning key."""
    key = tuned["key"]
    columns = [
        Column(f"{metric} at its own best {key}", metric, lambda row: (text.score(row["tuned_iqm"]), "")),
        Column(f"best {key}", key, lambda row: (row["best_value"], "")),
        Column(f"{metric} there, flattered by the choice", "", lambda row: (text.score(row["best_iqm"]), "")),
        Column("values not shown to be worse", "", lambda row: (", ".join(row["surviving"]) or "-", "")),
        Column("p (worse)", "p worse", lambda row: (text.p_value(row["p_worse"]), "")),
    ]
    columns = _filled(columns, tuned["rows"], short)
    rows = [
        Row(_kind(row, tuned), row["name"], "", [column.cell(row) for column in columns])
        for row in tuned["rows"]
    ]
    return Table([column.short if short else column.header for column in columns], rows)


def further_table(setting: Part) -> Table:
    """Return every other p-value that a sentence rests on, and what else is known of a candidate."""
    learning, trend, reference = setting["learning"]["p_values"], setting["trend"] or {}, setting["reference"]
    columns = [
        Column("p (learned)", "", lambda row: (text.p_value(learning.get(row["name"])), "")),
        Column("p (equivalent)", "", lambda row: (text.p_value(row["p_equivalent"]), "")),
        Column("p (still improving)", "", lambda row: _p_of(trend, "improving", row)),
        Column("p (gaining on the leader)", "", lambda row: _p_of(trend, "gaining", row)),
        Column("slope per 1,000 steps", "", lambda row: (_slope(trend, row), "")),
        Column("seeds to tell it from the best", "", lambda row: (_whole(row["required_seeds"]), "")),
        Column("difference found 4 times in 5, sd", "", lambda row: (format_number(row["detectable"]), "")),
        Column(f"ratio to {reference}", "", lambda row: _value(row["ratio"], row["ratio_interval"])),
        Column("best on the way", "", lambda row: (text.score(row["side_by_side"]["best"]), "")),
        Column("mean over training", "", lambda row: (text.score(row["side_by_side"]["mean"]), "")),
    ]
    every = [*setting["rows"], *setting["unranked"]]
    # With a single evaluation final, best and mean are one.
    if all(len(curve["step"]) < 2 for curve in setting["curves"].values()):
        columns = columns[:-2]
    columns = _filled(columns, every, short=False)
    rows = [
        Row("ranked", row["name"], "", [_unranked_cell(column, row) for column in columns]) for row in every
    ]
    return Table([column.header for column in columns], rows if columns else [])


def secondary_table(setting: Part) -> Table | None:
    """Return the IQM of every other metric, None if there is none."""
    told = setting["secondary"]
    if not told or not told["columns"]:
        return None
    columns = told["columns"]
    names = list(told["values"])
    rows = [Row("anchor", "real data", "", [(format_number(column["real_data"]), "") for column in columns])]
    rows += [
        Row(
            "ranked",
            name,
            "",
            [(format_number(told["values"][name][column["name"]]), "") for column in columns],
        )
        for name in names
    ]
    if any(column["untrained"] is not None for column in columns):
        cells = [(format_number(column["untrained"]), "") for column in columns]
        rows.append(Row("anchor", "untrained generator", "", cells))
    return Table([f"{column['name']} ({BETTER[column['direction']]})" for column in columns], rows)


def _ranking_columns(setting: Part, metric: str) -> list[Column]:
    reference, cost = setting["reference"], setting["cost"]
    alone = len(setting["rows"]) < 2  # who has nobody to be compared with has no rank
    mark = "" if not cost or cost["fair"] else ", do not compare"
    return [
        Column(f"{metric} (IQM)", metric, lambda row: _value(row["iqm"], row.get("interval"), _finite(row))),
        Column(f"difference to {reference}", f"vs {reference}", _difference),
        Column(f"P(beats {reference})", "", lambda row: _share(row["p_better"], row["p_better_interval"])),
        Column("p against it (Holm)", "p", lambda row: (text.p_value(row["p_holm"]), "")),
        Column("p (the best beats it)", "p best", lambda row: (text.p_value(row["p_winner"]), "")),
        Column("p (worse)", "p worse", lambda row: (text.p_value(row["p_worse"]), "")),
        Column("equivalent", "equivalent", lambda row: ("yes" if row["equivalent"] else "-", "")),
        Column("rank", "rank", lambda row: ("-" if alone else text.ranks(row["rank_interval"]), "")),
        Column("P(best)", "P(best)", lambda row: ("-" if alone else text.percent(row["p_best"]), "")),
        Column("seeds", "seeds", lambda row: (str(row["seeds"]), "")),
        Column("diverged", "diverged", lambda row: (_count(row["diverged"]), "")),
        Column(f"ms per step and seed{mark}", "", lambda row: _cost(cost, row)),
    ]


def _filled(columns: Iterable[Column], rows: Sequence[Part], short: bool) -> list[Column]:
    """Leave out columns that hold nothing in any row, and on a terminal those that have no header there."""
    return [
        column
        for column in columns
        if (column.short or not short) and any(_unranked_cell(column, row)[0] != "-" for row in rows)
    ]


def _unranked_cell(column: Column, row: Part) -> Cell:
    """Return the cell of a row that has no rank and none of what goes with it."""
    try:
        return column.cell(row)
    except KeyError:
        return _NOTHING


def _anchor(name: str, cell: Cell, columns: Sequence[Column]) -> Row:
    return Row("anchor", name, "", [cell, *[("", "")] * (len(columns) - 1)])


def _kind(row: Part, part: Part) -> str:
    return "tied" if row["name"] in part["tied"] else "ranked"


def _remark(row: Part) -> str:
    if row.get("reference"):
        return "reference"
    if "rank" not in row:
        return "diverged" if row["diverged"] == row["seeds"] else text.learning_label(row)
    return "exploratory" if row.get("exploratory") else ""


def _value(value: float | None, ends: Sequence[float | None] | None, below: str = "") -> Cell:
    if value is None and ends is None:
        return (below and text.DIVERGED_SCORE) or "-", below
    return text.score(value), below or (text.interval(ends) if ends is not None else "")


def _finite(row: Part) -> str:
    """Return what the seeds are worth that did not diverge, if the others made the IQM infinite."""
    if row["iqm"] is not None or row["finite_iqm"] is None:
        return ""
    return f"otherwise {format_number(row['finite_iqm'])}"


def _difference(row: Part) -> Cell:
    if row["difference"] is None and row["difference_interval"] is None:
        return _NOTHING
    return text.signed(row["difference"]), text.interval(row["difference_interval"])


def _share(value: float | None, ends: Sequence[float | None] | None) -> Cell:
    return text.percent(value), text.percents(ends)


def _count(value: int) -> str:
    return str(value) if value else "-"


def _whole(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _seeds_per_setting(seeds: Sequence[int]) -> str:
    fewest, most = min(seeds), max(seeds)
    span = str(fewest) if fewest == most else f"{fewest} to {most}"
    return f"{span} in each of {len(seeds)}"


def _leads(row: Part, settings: Sequence[Part]) -> str:
    names = [settings[k]["name"] for k in row["leads"]]
    return text.join_names(names, 4) if names else "-"


def _p_of(trend: Part, kind: str, row: Part) -> Cell:
    return text.p_value(trend.get(kind, {}).get(row["name"])), ""


def _slope(trend: Part, row: Part) -> str:
    return text.signed(trend.get("slopes", {}).get(row["name"]))


def _cost(cost: Part | None, row: Part) -> Cell:
    told = cost["rows"].get(row["name"]) if cost else None
    if told is None:
        return _NOTHING
    span = f"{format_number(told['low'])} to {format_number(told['high'])}" if told["runs"] > 1 else ""
    return format_number(told["ms_per_step"]), span
