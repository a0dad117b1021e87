"""The TAB key in real shells, which run on a terminal and are typed to."""

import os
import pty
import re
import select
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SHELLS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}
PROMPT = "ready> "


class Shell:
    """An interactive shell: what is typed, and what it shows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.update(PS1=PROMPT, TERM="dumb", COLUMNS="200", INPUTRC="/dev/null")
            os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            os.execvp(SHELLS[name][0], SHELLS[name])
        self.read(PROMPT)
        if name == "bash":
            self.type("bind 'set show-all-if-ambiguous on'; bind 'set enable-bracketed-paste off'\n", PROMPT)
        self.type(f'eval "$(gan-lab completion {name})"; echo in""stalled\n', rf"installed[\s\S]*{PROMPT}")

    def type(self, text: str, until: str) -> str:
        os.write(self.terminal, text.encode())
        return self.read(until)

    def read(self, until: str) -> str:
        """Return what is shown up to and with a pattern; fails if it is not shown."""
        shown, deadline = "", time.monotonic() + 30
        while not re.search(until, shown):
            ready, _, _ = select.select([self.terminal], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                pytest.fail(f"{self.name} did not show {until!r}: {shown!r}")
            shown += os.read(self.terminal, 65536).decode(errors="replace").replace("\a", "")
        return shown


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest) -> Iterator[Shell]:
    name = request.param
    if shutil.which(name) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        pytest.skip(f"{name} is not installed")
    opened = Shell(name)
    yield opened
    os.close(opened.terminal)  # hangs up
    os.waitpid(opened.pid, 0)


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("gan-lab tra", "gan-lab train "),
        ("gan-lab train activation=e", "gan-lab train activation=elu "),
        ("gan-lab train -m activation=relu,e", "gan-lab train -m activation=relu,elu "),
        ("gan-lab train activation@generator_activation=snak", "activation@generator_activation=snake "),
        ("gan-lab train rer", "gan-lab train rerun="),
        ("gan-lab train checkpoint.mi", "gan-lab train checkpoint.minutes="),
    ],
)
def test_a_word_is_completed(shell: Shell, typed: str, completed: str) -> None:
    shell.type("\x15", "")  # empties the line
    assert completed in shell.type(f"{typed}\t", re.escape(completed))
