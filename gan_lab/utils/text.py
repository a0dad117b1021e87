"""Text for people: numbers, durations, sizes, tables. Imports no torch."""

from collections.abc import Sequence


def truncate(text: str, length: int = 200) -> str:
    """Return ``text`` as one line of at most ``length`` characters, and three dots if it is longer."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[:length]}..."


def format_duration(seconds: float | None) -> str:
    """ "3 h": the largest unit that there is one of."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def align_columns(rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Rows of a table as lines; the columns in ``left`` and no others begin at their left edge."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines
