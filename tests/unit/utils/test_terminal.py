"""What is printed is text: a terminal gets no command, and no reader ends a command with a traceback."""

import io
import os
import sys

import click
import pytest
from tqdm import tqdm

from gan_lab.utils.terminal import LiveBlock, TerminalStream, live_terminal, nobody_reads, safe_terminal
from tests.helpers.screen import Screen


def printed(text: str, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    TerminalStream(stream).write(text)
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, größer\n", "plain, größer\n"),
        ("a\tb\n\nc", "a\tb\n\nc"),
        ("\x1b[2Jx\n", "\\x1b[2Jx\n"),
        ("\x9b2J\x07\x08", "\\x9b2J\\x07\\x08"),
        ("elu \u202egnp", "elu \\u202egnp"),
        ("a lone \ud800", "a lone \\ud800"),
        ("\rbar", "\rbar"),
        ("damaged\rfine", "damaged\\rfine"),
    ],
)
def test_what_a_terminal_would_obey_is_an_escape(text: str, seen: str) -> None:
    assert printed(text) == seen


def test_what_the_encoding_lacks_is_an_escape() -> None:
    assert printed("größer\n", "ascii") == "gr\\xf6\\xdfer\n"


def test_print_and_click_pass_through_it(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout, sys.stderr
    with safe_terminal():
        print("\x1b[1mprint")
        print("\x1b[1mprint", file=sys.stderr)
        click.echo("\x1b[1mecho", color=True)
        click.echo("\x1b[1mecho", err=True, color=True)
        sys.stdout.writelines(["\x1b[1mlines\n"])
    assert (sys.stdout, sys.stderr) == before
    out, err = capsys.readouterr()
    assert out == "\\x1b[1mprint\n\\x1b[1mecho\n\\x1b[1mlines\n"
    assert err == "\\x1b[1mprint\n\\x1b[1mecho\n"


def test_a_progress_bar_still_moves_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with safe_terminal():
        for _ in tqdm(range(3), desc="reading", leave=False, disable=False):
            pass
    err = capsys.readouterr().err
    assert "\\" not in err
    assert err.count("\rreading") >= 1


def test_what_follows_a_closed_pipe_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        with safe_terminal():
            assert not nobody_reads()
            print("first")
            assert nobody_reads()
            print("second", flush=True)


class Terminal(io.StringIO):
    """Shows on a screen what is written to it."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen = screen

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.screen.feed(text.replace("\n", "\r\n"))
        return len(text)


def resize(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int = 24) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(lines))


def test_a_live_block_stays_below_what_is_printed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    resize(monkeypatch, 20)
    screen = Screen(20)
    screen.feed("$ gan-lab train\r\n")
    block = LiveBlock(TerminalStream(Terminal(screen)))
    block.show(["run 1 of 2", "relu  training"])
    block.show(["run 2 of 2"], "relu: finished, and a long line\n")
    assert screen.text == "$ gan-lab train\nrelu: finished, and \na long line\nrun 2 of 2\n".replace(
        " \n", "\n"
    )
    block.close("elu: finished\n")
    assert screen.text.splitlines() == [
        *("$ gan-lab train", "relu: finished, and", "a long line", "elu: finished")
    ]
    assert (screen.row, screen.column) == (4, 0)


def test_a_live_block_has_room_in_a_small_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    resize(monkeypatch, 10, 4)
    screen = Screen(10)
    block = LiveBlock(TerminalStream(Terminal(screen)))
    block.show([f"{number} is far too long" for number in range(10)])
    assert screen.text.split() == [*("0", "is", "far", "1", "is", "far", "2", "is", "far")]
    block.close()
    assert screen.text == ""


def test_what_stands_in_a_live_block_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    resize(monkeypatch, 60)
    screen = Screen(60)
    LiveBlock(TerminalStream(Terminal(screen))).show(["\x1b[31mred"], "\x1b]0;title\x07\n")
    assert screen.text.splitlines() == ["\\x1b]0;title\\x07", "\\x1b[31mred"]


@pytest.mark.parametrize(("kind", "live"), [("xterm-256color", True), ("dumb", False), (None, False)])
def test_only_a_terminal_that_can_be_drawn_on_is_live(
    monkeypatch: pytest.MonkeyPatch, kind: str | None, live: bool
) -> None:
    monkeypatch.delenv("TERM", raising=False)
    if kind:
        monkeypatch.setenv("TERM", kind)
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Terminal(Screen(80)))
    assert live_terminal() is None  # it has no guard
    with safe_terminal():
        assert (live_terminal() is sys.stderr) == live
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        assert live_terminal() is None
