"""Long work is never silent, and a bar stays a bar."""

import io
import logging
import re
from types import SimpleNamespace

import pytest

from gan_lab.sweeps.worker import _where
from gan_lab.utils import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A clock that only moves when it is told to; tqdm's own and that of the lines."""
    time = SimpleNamespace(now=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: time.now)
    monkeypatch.setattr(progress.tqdm, "monitor_interval", 0)
    return time


def test_without_a_terminal_there_is_a_line_every_30_seconds(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", log)
    with progress.progress_bar("elu-1234", total=100, unit="step") as bar:
        bar._time = lambda: clock.now
        bar.start_t = bar.last_print_t = 0.0
        for _ in range(100):
            clock.now += 1
            bar.update()
    lines = log.getvalue().splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r"elu-1234: 30 of 100 steps, 00:30 passed, about 0\d:\d\d left", lines[0])
    assert "\r" not in log.getvalue()


def test_short_work_writes_nothing_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    log = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", log)
    assert list(progress.progress_bar("x", [1, 2, 3])) == [1, 2, 3]
    assert log.getvalue() == ""


def test_information_is_a_plain_line_and_stands_in_the_log(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "gan_lab.x"):
        progress.say(logging.getLogger("gan_lab.x"), "generator: 100% as written")
    assert capsys.readouterr().err == "generator: 100% as written\n"
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("INFO", "generator: 100% as written")]


@pytest.mark.parametrize(("columns", "annotated"), [(60, False), (100, True)])
def test_at_60_columns_the_bar_stays_a_bar(
    monkeypatch: pytest.MonkeyPatch, columns: int, annotated: bool
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(progress.sys, "stderr", terminal)
    with progress.progress_bar("x", total=3000, unit="step", mininterval=0) as bar:
        bar.dynamic_ncols = lambda _: (columns, 24)
        progress.annotate(bar, "D 0.693, G 0.693")
        bar.update(1234)
        bar.refresh()
        line = terminal.getvalue().rpartition("\r")[2]
    assert len(line) <= columns
    assert ("D 0.693" in line) == annotated
    shown = re.search(r"\|(.*?)\|", line)
    assert shown is not None
    assert len(shown[1]) >= 10


def test_a_sweep_says_where_it_is() -> None:
    assert _where(0, 14, 0.0) == "run 1 of 14"
    assert _where(2, 14, 120.0) == "run 3 of 14, about 12 min left"
