"""Tables of text that fit a terminal. Imports no torch."""

import itertools
import re
import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence

Row = Sequence[str]
_GAP = "  "
_SHORTEST = 24  # characters that a name is shortened to at most
_END = 9  # characters that remain of its end: the digits of a run


def terminal_width() -> int | None:
    """Return how many columns stdout has; None if it is no terminal, where nothing needs to fit."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def format_table(
    rows: Sequence[Row], left: Collection[int] = (0,), *, width: int | None = None, keys: int = 1
) -> list[str]:
    """Return one line per row, its cells aligned at the right, or at the left for the columns ``left``.

    With a ``width`` no line is longer. Names, in the last of the ``keys`` first columns, are shortened in the
    middle or, where they would look alike, have lines of their own; columns that find no room follow below,
    after the same names; text that finds none is wrapped.
    """
    lines = _aligned(rows, left)
    if width is None or max(map(len, lines)) <= width or len(rows[0]) <= keys:
        return lines
    name = keys - 1
    longest = max(len(row[name]) for row in rows)
    room = max(longest - (max(map(len, lines)) - width), min(_SHORTEST, width // 2))
    names = [row[name] for row in rows]
    titles = [""] * len(rows)
    if _look_alike(names, room):
        titles[1:] = [shorten(one, width) for one in names[1:]]
        names[1:] = [""] * len(titles[1:])
    rows = [[*row[:name], shorten(one, room), *row[keys:]] for row, one in zip(rows, names, strict=True)]
    lines = []
    for columns in _blocks(rows, keys, width):
        block = [[row[column] for column in columns] for row in rows]
        lefts = [place for place, column in enumerate(columns) if column in left]
        sizes = [max(map(len, column)) + len(_GAP) for column in zip(*block, strict=True)]
        wrapped = [list(_wrapped(row, max(width - sum(sizes[:-1]), 1))) for row in block]
        aligned = iter(_aligned([line for row in wrapped for line in row], lefts))
        lines += [""] if lines else []
        for title, row in zip(titles, wrapped, strict=True):
            lines += [*([title] if title else []), *itertools.islice(aligned, len(row))]
    return lines


def _look_alike(names: Sequence[str], length: int) -> bool:
    """Return whether names of different runs, shortened, differ in the digits at their end only."""

    def without_digits(name: str) -> str:
        return re.sub(r"-[0-9a-f]{8}$", "", name)

    short = {without_digits(shorten(name, length)) for name in names}
    return len(short) < len(set(map(without_digits, names)))


def shorten(name: str, length: int) -> str:
    """Return both ends of a name that is longer, below 12 characters one end."""
    if len(name) <= length:
        return name
    if length < 3 + _END:
        return f"{name[: max(length - 3, 1)]}..."[:length]
    return f"{name[: length - 3 - _END]}...{name[-_END:]}"


def _aligned(rows: Sequence[Row], left: Collection[int]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _blocks(rows: Sequence[Row], keys: int, width: int) -> Iterator[list[int]]:
    """Yield the columns that stand beside each other, each time after the keys."""
    sizes = [max(map(len, column)) + len(_GAP) for column in zip(*rows, strict=True)]
    first = list(range(keys))
    block, used = list(first), sum(sizes[:keys])
    for column in range(keys, len(sizes)):
        if len(block) > keys and used + sizes[column] - len(_GAP) > width:
            yield block
            block, used = list(first), sum(sizes[:keys])
        block.append(column)
        used += sizes[column]
    yield block


def _wrapped(row: Row, width: int) -> Iterator[Row]:
    """Yield a row with its last cell over as many lines as it takes."""
    first, *others = textwrap.wrap(row[-1], width) or [""]
    yield [*row[:-1], first]
    for line in others:
        yield [*[""] * (len(row) - 1), line]
