"""The atlas as text: aligned columns for people, plain data for JSON."""

import math
from collections.abc import Sequence
from typing import Any

from gan_lab.atlas.cost import COST_COLUMNS
from gan_lab.atlas.describe import Description
from gan_lab.atlas.facts import Interval
from gan_lab.utils.tables import format_table, terminal_width
from gan_lab.utils.text import format_number


def interval(bounds: Interval | None) -> str:
    """Format as ``[0, inf)``, ``(0, 1)``, ``{0, 1}``; ? if it is not known."""
    if bounds is None:
        return "?"
    if bounds.values:
        return "{" + ", ".join(format_compact(v) for v in bounds.values) + "}"
    return (
        f"{bounds.brackets[0]}{format_compact(bounds.low)}, {format_compact(bounds.high)}{bounds.brackets[1]}"
    )


def text(rows: Sequence[Description], heading: str | None) -> str:
    """Return what each is; under ``heading`` what it costs, unless that is None; formulas; notes."""
    parts = [
        _table([_function(row) for row in rows]),
        "" if heading is None else heading + "\n" + _table([_cost(row) for row in rows]),
        _table([_formula(row) for row in rows]),
        "\n".join(f"{row.name}: {note}" for row in rows for note in row.notes),
    ]
    return "\n\n".join(part for part in parts if part)


def data(row: Description) -> dict[str, Any]:
    """Return one row for JSON: null for what is not known, "inf" and "-inf" for infinite numbers."""
    facts = {key: value for key, value in vars(row.facts).items() if key != "curves"}
    return {
        "name": row.name,
        "formula": row.formula,
        "module": row.module,
        "settings": row.settings,
        **facts,
        "range": _interval_data(row.facts.range),
        "derivative": _interval_data(row.facts.derivative),
        "lipschitz": _json_number(row.facts.lipschitz),
        "cost_relative_to_relu": row.cost and {key: getattr(row.cost, key) for key in COST_COLUMNS},
        "notes": row.notes,
    }


def _function(row: Description) -> dict[str, str]:
    facts = row.facts
    kinks = "?" if facts.kinks is None else ", ".join(format_compact(x) for x in facts.kinks) or "-"
    return {
        "": row.name,
        "range": interval(facts.range),
        "derivative": interval(facts.derivative),
        "kinks at": "many" if len(facts.kinks or ()) > 4 else kinks,
        "smooth": facts.smoothness or "?",
        "Lipschitz": format_compact(facts.lipschitz),
        "monotone": "?" if facts.monotone is None else "yes" if facts.monotone else "no",
        "mean": format_compact(None if facts.mean is None else round(facts.mean, 6)),
        "gain fwd": format_compact(facts.gain_fwd),
        "gain bwd": format_compact(facts.gain_bwd),
        "calculate_gain": format_compact(facts.calculate_gain, "unsupported"),
    }


def _cost(row: Description) -> dict[str, str]:
    costs = {key.replace("_", " "): format_compact(getattr(row.cost, key, None)) for key in COST_COLUMNS}
    return {"": row.name, **costs}


def _formula(row: Description) -> dict[str, str]:
    """The formula with its keys; without a formula the module, which prints its keys itself."""
    settings = ", ".join(f"{key}={value}" for key, value in row.settings.items())
    facts, formula = row.facts, row.formula or row.module
    domain = "R" if facts.source else interval(facts.sampled_on and Interval(*facts.sampled_on))
    return {
        "": row.name,
        "learned": str(facts.parameters),
        "for x in": domain,
        "f(x)": f"{formula}  ({settings})" if row.formula and settings else formula,
    }


def _table(rows: Sequence[dict[str, str]]) -> str:
    cells = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "\n".join(format_table(cells, left=range(len(rows[0])), width=terminal_width()))


def format_compact(value: float | None, unknown: str = "?") -> str:
    return format_number(value, unknown, compact=True)


def _json_number(value: float | None) -> float | str | None:
    return str(value) if value is not None and math.isinf(value) else value


def _interval_data(bounds: Interval | None) -> dict[str, Any] | None:
    if bounds is None:
        return None
    return {
        "text": interval(bounds),
        "low": _json_number(bounds.low),
        "high": _json_number(bounds.high),
        "low_attained": bounds.brackets[0] == "[",
        "high_attained": bounds.brackets[1] == "]",
        "values": list(bounds.values) or None,
    }
