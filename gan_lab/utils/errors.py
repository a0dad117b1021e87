"""The errors that people see as one sentence, and the sentence of any other. Imports no torch."""

import os
from pathlib import Path

from gan_lab.utils.paths import relative
from gan_lab.utils.text import truncate


class GanLabError(Exception):
    """Base of every error whose message is meant for the person at the keyboard.

    The command line prints it as one line and exits with ``exit_code``; in Python it is raised as it is.
    """

    exit_code = 2


class ConfigurationError(GanLabError, ValueError):
    """A key, a file or a device that was asked for cannot be used."""


class DataError(GanLabError):
    """A data set is missing, empty, unreadable or cannot be downloaded."""


class RunBusyError(GanLabError):
    """Another process trains this run at the moment; seen by whoever comes second."""


class RunFailedError(GanLabError):
    """A run failed on its way; its log says more. The same command resumes it."""

    exit_code = 1


class HydraPassthrough(BaseException):
    """Carries a `GanLabError` through Hydra, which reports every `Exception` in its own way.

    Only the command line sees it, and prints the error inside.
    """

    def __init__(self, error: GanLabError) -> None:
        super().__init__(str(error))
        self.exit_code = error.exit_code


def summarize_exception(error: object, *, bare: bool = False, file: Path | None = None) -> str:
    """Say in one line what went wrong.

    One of gan-lab's own errors is its message. One of the operating system is the file and the reason;
    ``file`` stands in if it names none, as when a full disk is noticed late. Any other is its type and its
    message. ``bare`` leaves out file and type, for a sentence that has named what failed.
    """
    name = type(error).__name__
    try:
        message = truncate(str(error))
    except Exception:  # somebody else's class
        message = ""
    if isinstance(error, (GanLabError, HydraPassthrough)):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        if isinstance(error.filename, (str, bytes)):
            file = Path(os.fsdecode(error.filename))
        # The current folder itself would only be a dot.
        shown = file if file in (None, Path.cwd()) else relative(file)
        where = "" if bare or shown is None else f"{truncate(str(shown))}: "
        return f"{where}{error.strerror}"
    if bare or not message:
        return message or name
    return f"{name}: {message}"
