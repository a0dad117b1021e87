"""A sweep in a real terminal: its live table while it trains, and a terminal in order however it ends."""

import fcntl
import os
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.experiments import TINY_POINTS
from tests.helpers.screen import Screen
from tests.helpers.sweeping import FEW

COLUMNS = 60
SWEEP = ("train", "-m", *TINY_POINTS, *FEW, "log.every=10", "activation=relu,elu", "study=mine")


class Terminal:
    """A pseudo terminal with a program in it. written: all that it has sent."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, COLUMNS, 0, 0))
        name, self.written = os.ttyname(theirs), ""
        command = shlex.join([sys.executable, "-m", "gan_lab", *words])
        self.process = subprocess.Popen(  # the first terminal that a session opens is its own, with Ctrl-C
            ["sh", "-c", f"exec {command} <{name} >{name} 2>&1"],
            env={**os.environ, "TERM": "xterm", "OMP_NUM_THREADS": "1"} | {"COLUMNS": "", "LINES": ""},
            start_new_session=True,
        )
        self._theirs = theirs

    def read(self, until: Callable[[str], bool] = lambda written: False, seconds: float = 120) -> str:
        """Read until something is written, or until the program has ended."""
        deadline = time.monotonic() + seconds
        while not until(self.written):
            assert time.monotonic() < deadline, self.written
            ended = self.process.poll() is not None
            if select.select([self._ours], [], [], 0.1)[0]:
                self.written += os.read(self._ours, 65536).decode()
            elif ended:
                break
        return self.written

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    @property
    def screen(self) -> str:
        screen = Screen(COLUMNS)
        screen.feed(self.written)
        return screen.text


@contextmanager
def terminal(*words: str) -> Iterator[Terminal]:
    one = Terminal(*words)
    try:
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=basic"]])
def test_a_sweep_has_one_live_table_and_leaves_only_its_outcome(launcher: list[str]) -> None:
    with terminal(*SWEEP, *launcher, "steps=60") as one:
        one.read()
        assert one.process.returncode == 0
    assert "run 1 of 2" in one.written
    assert "step/s" not in one.written  # no bar beside the table
    lines = one.screen.split("\n")
    assert not [line for line in lines if re.search(r"pending|training|of 2", line)]
    assert [line.split(":")[0] for line in lines if line.startswith("finished")] == ["finished"] * 2
    start = lines.index(next(line for line in lines if line.startswith("run ")))
    assert [line.split()[1] for line in lines[start + 1 : start + 3]] == ["finished"] * 2


def test_ctrl_c_and_a_dying_worker_leave_the_terminal_in_order() -> None:
    with terminal(*SWEEP, "steps=200000") as one:
        one.read(lambda written: "training" in written)
        children = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)  # the worker; the other one tracks resources
        begun = len(one.written)
        one.read(lambda written: "training" in written[begun:])
        one.type("\x03")
        one.read()
        assert one.process.returncode == 128 + signal.SIGINT
        flags = termios.tcgetattr(one._theirs)[3]
        assert flags & termios.ECHO
        assert flags & termios.ICANON
    assert one.screen.endswith("gan-lab: stopped by SIGINT\n")
    assert "?25l" not in one.written  # the cursor is never hidden
    assert not [line for line in one.screen.split("\n") if "training" in line]
