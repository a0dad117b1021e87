"""The atlas as text: aligned columns for people, plain data for JSON."""

import math
from collections.abc import Sequence
from typing import Any

from gan_lab.atlas import Bounds, Cost, Entry

_FUNCTION = [
    "",
    "range",
    "derivative",
    "kinks at",
    "Lipschitz",
    "monotone",
    "gain fwd",
    "gain bwd",
    "calculate_gain",
]
_PRICE = ["", "forward", "backward", "double backward", "memory"]


def number(value: float | None, unknown: str = "?") -> str:
    """Three significant digits."""
    if value is None:
        return unknown
    text = f"{value + 0.0:.3g}"
    return f"{value:.0f}" if "e" in text and 1e3 <= abs(value) < 1e5 else text


def interval(bounds: Bounds | None) -> str:
    """``[0, inf)``, ``(0, 1)``, ``{0, 1}``; ? for an end that could not be told."""
    if bounds is None or (bounds.low is None and bounds.high is None):
        return "?"
    if bounds.values:
        return "{" + ", ".join(number(v) for v in bounds.values) + "}"
    left, right = "[" if bounds.low_attained else "(", "]" if bounds.high_attained else ")"
    return f"{left}{number(bounds.low)}, {number(bounds.high)}{right}"


def text(entries: Sequence[Entry], heading: str | None) -> str:
    """What each function is; under ``heading`` what it costs, unless that is None; notes on single ones."""
    parts = [
        _aligned(_FUNCTION, [_function(entry) for entry in entries]),
        "" if heading is None else heading + "\n" + _aligned(_PRICE, [_price(entry) for entry in entries]),
        _aligned(["", "learned", "f(x)"], [_formula(entry) for entry in entries]),
        "\n".join(f"{entry.name}: {note}" for entry in entries for note in notes(entry)),
    ]
    return "\n\n".join(part for part in parts if part)


def notes(entry: Entry) -> list[str]:
    return [*entry.facts.notes, *([entry.cost.note] if entry.cost and entry.cost.note else [])]


def data(entry: Entry) -> dict[str, Any]:
    """One row for JSON: null for what is not known, "inf" and "-inf" for infinite numbers."""
    facts, cost = entry.facts, entry.cost
    return {
        "name": entry.name,
        "formula": entry.formula,
        "module": entry.module,
        "settings": entry.settings,
        "range": _plain_bounds(facts.range),
        "derivative": _plain_bounds(facts.slope),
        "lipschitz": _plain(facts.lipschitz),
        "monotone": facts.monotone,
        "kinks": facts.kinks,
        "jumps": facts.jumps,
        "gain_fwd": facts.gain_forward,
        "gain_bwd": facts.gain_backward,
        "calculate_gain": facts.gain_calculated,
        "parameters": facts.parameters,
        "cost_relative_to_relu": cost
        and {
            "forward": cost.forward,
            "backward": cost.backward,
            "double_backward": cost.double_backward,
            "memory": cost.memory,
        },
        "notes": notes(entry),
    }


def _function(entry: Entry) -> list[str]:
    facts = entry.facts
    return [
        entry.name,
        interval(facts.range),
        interval(facts.slope),
        "?" if facts.kinks is None else _places(facts.kinks),
        number(facts.lipschitz),
        "?" if facts.monotone is None else "yes" if facts.monotone else "no",
        number(facts.gain_forward),
        number(facts.gain_backward),
        number(facts.gain_calculated, "unsupported"),
    ]


def _price(entry: Entry) -> list[str]:
    cost = entry.cost or Cost()
    return [
        entry.name,
        *(number(v) for v in (cost.forward, cost.backward, cost.double_backward, cost.memory)),
    ]


def _formula(entry: Entry) -> list[str]:
    """The formula with its keys; where the YAML file has none, the module, which prints its keys itself."""
    settings = ", ".join(f"{key}={value}" for key, value in entry.settings.items())
    formula = entry.formula or entry.module
    if entry.formula and settings:
        formula = f"{formula}  ({settings})"
    return [entry.name, str(entry.facts.parameters), formula]


def _places(places: Sequence[float]) -> str:
    return "many" if len(places) > 4 else ", ".join(number(place) for place in places) or "-"


def _plain(value: float | None) -> float | str | None:
    return str(value) if value is not None and math.isinf(value) else value


def _plain_bounds(bounds: Bounds | None) -> dict[str, Any] | None:
    if bounds is None:
        return None
    return {
        "text": interval(bounds),
        "low": _plain(bounds.low),
        "high": _plain(bounds.high),
        "low_attained": bounds.low_attained,
        "high_attained": bounds.high_attained,
        "values": list(bounds.values) or None,
    }


def _aligned(header: list[str], rows: list[list[str]]) -> str:
    width = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(row, width, strict=True)).rstrip()
        for row in [header, *rows]
    )
