"""Text for people: one line, numbers, durations, sizes. Imports no torch."""

import math


def truncate(text: str, length: int = 200) -> str:
    """Return ``text`` as one line of at most ``length`` characters, and three dots if it is longer.

    What a terminal would obey, or what no file takes as UTF-8, is written as an escape such as \\x1b.
    """
    line = "".join(map(_printable, " ".join(text.split())))
    return line if len(line) <= length else f"{line[:length]}..."


def printable(text: str) -> str:
    """Return a line with escapes such as \\x1b for what a terminal would obey."""
    return "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def plural(count: int, noun: str) -> str:
    """Return "1 seed", "1,200 seeds"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_number(value: float | None, missing: str = "-", *, digits: int = 3, compact: bool = False) -> str:
    """Round to significant digits, with an exponent only below 0.0001 and from 10 million on.

    0.5 is "0.500" and 1234.5 is "1,234", so that columns align. ``compact`` has "0.5" and "1234", as in an
    interval, and an exponent from 100,000 on.
    """
    if value is None:
        return missing
    if value == 0 or not math.isfinite(value):
        return f"{value + 0.0:g}"
    size = abs(value)
    if not 1e-4 <= size < (1e5 if compact else 1e7):
        text = f"{value:.{digits - 1}e}"
    elif size < 10**digits - 0.5:
        text = f"{value:#.{digits}g}".removesuffix(".")
    else:
        text = f"{value:,.0f}"
    if compact:
        mantissa, e, exponent = text.replace(",", "").partition("e")
        text = (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + e + exponent
    return text


def format_duration(seconds: float | None) -> str:
    """Return "85 s" or "3 h": the largest of the units s, min, h and d of which there are at least two."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def format_bytes(size: int) -> str:
    """Return "3 GiB": the largest of the units MiB to PiB of which there is at least one, rounded down."""
    for power, unit in ((50, "PiB"), (40, "TiB"), (30, "GiB"), (20, "MiB")):
        if size >= 2**power:
            return f"{size // 2**power:,} {unit}"
    return f"{size:,} bytes"
