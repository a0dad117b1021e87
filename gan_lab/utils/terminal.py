"""What is printed: text only, never a command to the terminal, also where nobody reads on."""

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from gan_lab.utils.text import printable

# A progress bar begins with \r, and hides nothing but itself.
_KEPT = re.compile(r"(\A\r|[\n\t])")


class TerminalStream:
    """A text stream with escapes such as \\x1b for what a terminal would obey.

    closed_pipe: whether the other end was closed, as ``| head`` does; what follows is then dropped.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self.closed_pipe = stream, False

    def write(self, text: str) -> int:
        safe = text if text.isprintable() else "".join(map(_escape, _KEPT.split(text)))
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(safe.encode(encoding, "backslashreplace").decode(encoding))
        except BrokenPipeError:
            self._drop_what_follows()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._drop_what_follows()

    def overwrite(self, rows: int, lines: Iterable[str]) -> None:
        """Write lines over all from the line so many rows above on: the commands for that are all that pass.

        The screen is not cleared first, which would flicker, and which some terminals take for a new page.
        """
        up = f"\x1b[{rows}A" if rows else ""
        self._stream.write(f"\r{up}")
        for line in lines:
            self.write(line)
            self._stream.write("\x1b[K\n")
        self._stream.write("\x1b[J")
        self._stream.flush()

    def _drop_what_follows(self) -> None:
        self.closed_pipe = True
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # bytes would pass unescaped
            raise AttributeError(name)
        return getattr(self._stream, name)


class LiveBlock:
    """Lines at the bottom of a terminal that are drawn again and again; other text goes above them.

    The cursor rests below the lines and is never hidden, so that a process that dies leaves all in order.
    """

    def __init__(self, stream: TerminalStream) -> None:
        self._stream, self._shown = stream, list[str]()

    def show(self, lines: Sequence[str], above: str = "") -> None:
        """Draw ``lines`` in the place of the last ones, below ``above``; what finds no room is cut off."""
        columns, rows = shutil.get_terminal_size()
        # A terminal that has become narrower has wrapped what was drawn.
        drawn = sum(max(len(line) - 1, 0) // columns + 1 for line in self._shown)
        self._shown = [line[: columns - 1] for line in lines[: rows - 1]]
        self._stream.overwrite(drawn, [*above.splitlines(), *self._shown])

    def close(self, above: str = "") -> None:
        """Take the lines away."""
        self.show([], above)


def live_terminal() -> TerminalStream | None:
    """Return stderr if what is printed goes to a terminal that can be drawn on, else None."""
    stream = sys.stderr
    if isinstance(stream, TerminalStream) and stream.isatty() and sys.stdout.isatty():
        return stream if os.environ.get("TERM", "dumb") != "dumb" else None
    return None


@contextmanager
def safe_terminal() -> Iterator[None]:
    """Let all that is written to stdout and stderr inside pass through a `TerminalStream` of its own."""
    before = sys.stdout, sys.stderr
    streams = [TerminalStream(stream) for stream in before]
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before


def nobody_reads() -> bool:
    """Whether the reader of stdout has closed its end of the pipe."""
    sys.stdout.flush()
    return bool(getattr(sys.stdout, "closed_pipe", False))


def _escape(part: str) -> str:
    return part if _KEPT.fullmatch(part) else printable(part)
