"""Tables are aligned, and fit the width of a terminal without losing a cell."""

import io
from typing import Any

import pytest

from gan_lab.utils import tables
from gan_lab.utils.tables import format_table, terminal_width

RUNS = [
    ("run", "state", "steps", "seeds", "score", "age"),
    (
        "activation=elu,dataset=ring,model=mlp,seeds=6-1d644865",
        "finished",
        "3,000/3,000",
        "6",
        "0.663",
        "2 h",
    ),
    ("activation=relu-c403885c", "interrupted", "200/3,000", "6", "failed", "3 d"),
]


def test_columns_are_aligned() -> None:
    assert format_table([("run", "x"), ("a", "10")]) == ["run   x", "a    10"]
    assert format_table([("run", "x"), ("a", "10")], left=(0, 1)) == ["run  x", "a    10"]


@pytest.mark.parametrize("width", [200, 100, 80, 60, 40])
def test_no_line_is_longer_and_no_cell_is_lost(width: int) -> None:
    lines = format_table(RUNS, left=(0, 1), width=width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    for row in RUNS:
        assert all(cell in text for cell in row[1:])
        assert row[0][-9:] in text
    assert text.count("activati") == 2 * (1 + lines.count(""))  # once in every block


def test_what_fits_is_as_it_was() -> None:
    assert format_table(RUNS, width=200) == format_table(RUNS)


def test_a_name_loses_its_middle_only_as_far_as_it_must() -> None:
    full = format_table(RUNS, left=(0, 1))
    lines = format_table(RUNS, left=(0, 1), width=len(full[1]) - 10)
    assert len(lines) == len(full)
    assert lines[1].startswith("activation=elu,dataset=ring,mode...-1d644865  finished")


def test_columns_without_room_follow_below_after_the_same_keys() -> None:
    rows = [("", "name", "aaaaaaaa", "bbbbbbbb"), ("=", "elu", "1", "2"), ("", "relu", "3", "4")]
    assert format_table(rows, left=(0, 1), width=20, keys=2) == [
        *["   name  aaaaaaaa", "=  elu          1", "   relu         3", ""],
        *["   name  bbbbbbbb", "=  elu          2", "   relu         4"],
    ]


@pytest.mark.parametrize("width", [90, 60, 40])
def test_names_that_would_look_alike_have_lines_of_their_own(width: int) -> None:
    names = [f"activation={name},optimizer.lr={lr}" for name in ("leaky_relu", "elu") for lr in (0.01, 0.02)]
    rows = [(f"{name}-{k:08x}", *RUNS[1][1:]) for k, name in enumerate(names)]
    lines = format_table([RUNS[0], *rows], left=(0, 1), width=width)
    assert max(map(len, lines)) <= width
    if width == 90:
        assert lines == format_table([RUNS[0], *rows], left=(0, 1))
        return
    assert lines[0].split()[:2] == ["run", "state"]
    for name, *cells in rows:
        at = lines.index(name[:width] if len(name) <= width else tables.shorten(name, width))
        assert lines[at + 1].split()[0] == cells[0]


def test_text_without_room_is_wrapped() -> None:
    rows = [("", "f(x)"), ("gelu", "x Phi(x) and more words"), ("elu", "x")]
    assert format_table(rows, left=(0, 1), width=20) == [
        *["      f(x)", "gelu  x Phi(x) and", "      more words", "elu   x"],
    ]


def test_only_a_terminal_has_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream: Any = Terminal()
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(tables.sys, "stdout", stream)
    assert terminal_width() == 60
    monkeypatch.setattr(tables.sys, "stdout", io.StringIO())
    assert terminal_width() is None
