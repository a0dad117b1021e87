"""What is printed is text: a terminal gets no command, and no reader ends a command with a traceback."""

import io
import os
import sys

import click
import pytest
from tqdm import tqdm

from gan_lab.utils.terminal import TerminalStream, nobody_reads, safe_terminal


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
