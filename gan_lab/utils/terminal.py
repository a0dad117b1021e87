"""What is printed: text only, never a command to the terminal, also where nobody reads on."""

import os
import re
import sys
from collections.abc import Iterable, Iterator
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
