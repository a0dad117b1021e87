"""Numbers and names as words: how a page, a terminal and a sentence show them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.utils.text import format_number

DIVERGED_SCORE = "diverged"  # printed for a score that is no number


def score(value: float | None) -> str:
    return DIVERGED_SCORE if value is None or not math.isfinite(value) else format_number(value)


def interval(ends: Sequence[float | None] | None) -> str:
    return "-" if ends is None else f"{score(ends[0])} to {score(ends[1])}"


def signed(value: float | None) -> str:
    return ("+" if value is not None and value > 0 else "") + format_number(value)


def percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def percents(ends: Sequence[float | None] | None) -> str:
    return "" if ends is None else f"{percent(ends[0])} to {percent(ends[1])}"


def ranks(ends: Sequence[int] | None) -> str:
    if ends is None:
        return "-"
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def p_value(value: float | None) -> str:
    """Format a p-value for a table."""
    return "-" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_text(value: float) -> str:
    """Format a p-value for a sentence."""
    if value >= 0.9995:
        return "p = 1"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def seed_span(seeds: Sequence[int]) -> str:
    """Return "seeds 0 to 9", "seed 3"."""
    consecutive = len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    numbers = f"{seeds[0]} to {seeds[-1]}" if consecutive else ", ".join(map(str, seeds))
    return f"seed{'s' if len(seeds) > 1 else ''} {numbers}"


def join_names(names: Sequence[str], most: int = 8) -> str:
    """Return "a, b and c"; of more than ``most`` names only the number beyond."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1:,} more"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def all_of(count: int, noun: str = "") -> str:
    """Return "both", "all 3"; with a noun "both candidates"."""
    return ("both" if count == 2 else f"all {count:,}") + (f" {noun}" if noun else "")


def learning_label(row: Mapping[str, Any]) -> str:
    """Say in a row's words what the verdict says of a candidate that has not, or not clearly, learned."""
    return "not shown to have learned" if row.get("seeds_learned") else "not learned"


def seed_counts(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return "10 seeds each", "5 to 20 seeds each", "10 seeds"."""
    counts = sorted({row["seeds"] for row in rows})
    if len(counts) > 1:
        return f"{counts[0]:,} to {counts[-1]:,} seeds each"
    noun = "seed" if counts[0] == 1 else "seeds"
    return f"{counts[0]:,} {noun}" + (" each" if len(rows) > 1 else "")


def issues(run: Mapping[str, Any]) -> str:
    """Say what went wrong in a run; empty if nothing did."""
    texts = [f"seed {seed} diverged at step {step:,}" for seed, step in run["diverged"].items()]
    if run["exclusion_reason"]:
        texts.append(run["exclusion_reason"])
    return "; ".join(texts)
