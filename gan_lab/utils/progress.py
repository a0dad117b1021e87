"""Progress of long work: a bar on a terminal or in a notebook, else a line now and then. Imports no torch."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm
from tqdm.auto import tqdm as tqdm_auto

SECONDS_PER_LINE = 30.0
_LINE = "{desc}: {n_fmt} of {total_fmt} {unit}s, {elapsed} passed, about {remaining} left"
_NARROW = 80  # columns
_steps_shown_elsewhere = False


def progress_bar(what: str, iterable: Iterable[Any] | None = None, **options: Any) -> Any:
    """Return a tqdm bar on stderr; ``options`` are tqdm's.

    Where nobody watches, as in a log of a cluster, one line is written every 30 seconds, which names ``what``
    is done.
    """
    if _steps_shown_elsewhere and options.get("unit") == "step":
        return tqdm(iterable, disable=True)
    if not _in_notebook() and not sys.stderr.isatty():
        return _Lines(iterable, desc=what, file=sys.stderr, **{**options, "leave": False})
    return tqdm_auto(iterable, file=sys.stderr, disable=False, dynamic_ncols=True, **options)


@contextmanager
def steps_shown_elsewhere() -> Iterator[None]:
    """Have no bar of a run's steps inside, because somebody else shows how far it is."""
    global _steps_shown_elsewhere
    before, _steps_shown_elsewhere = _steps_shown_elsewhere, True
    try:
        yield
    finally:
        _steps_shown_elsewhere = before


def say(log: logging.Logger, line: str) -> None:
    """Write a line of information to stderr, above a bar if there is one, and to the log."""
    log.info("%s", line)
    tqdm.write(line, file=sys.stderr)


def annotate(bar: Any, text: str) -> None:
    """Show ``text`` behind the numbers of a bar if the terminal has room for it: the bar comes first."""
    if bar.disable:
        return
    columns = bar.dynamic_ncols(bar.fp)[0] if callable(bar.dynamic_ncols) else None
    bar.set_postfix_str("" if columns is not None and columns < _NARROW else text, refresh=False)


def _in_notebook() -> bool:
    return any(base.__module__ == "tqdm.notebook" for base in tqdm_auto.__mro__)


class _Lines(tqdm):  # type: ignore[misc]
    """A bar that is written as a line of its own every 30 seconds, and not at all before the first 30."""

    def __init__(self, iterable: Iterable[Any] | None, **options: Any) -> None:
        self._written = time.monotonic()
        every = {"mininterval": SECONDS_PER_LINE, "maxinterval": SECONDS_PER_LINE, "miniters": 1}
        super().__init__(iterable, bar_format=_LINE, disable=False, **every, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        if msg is None and time.monotonic() - self._written >= SECONDS_PER_LINE:
            self._written = time.monotonic()
            self.fp.write(f"{self}\n")
            self.fp.flush()

    @staticmethod
    def status_printer(file: Any) -> Any:
        return lambda text: None  # writes nothing over the line
