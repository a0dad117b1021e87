"""The one place that turns an error into a line on stderr and an exit code.

2: refused, the caller's mistake; 1: a run failed on its way; 128 + signal: stopped, 141 if nobody reads
what is printed. Anything else is a bug and keeps its traceback, as every error does with ``--debug``.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_lab.utils.errors import GanLabError, HydraPassthrough, summarize_exception

DEBUG = "GAN_LAB_DEBUG"  # set by --debug; worker processes inherit it


@contextmanager
def report_errors() -> Iterator[None]:
    """End the process with one line for what is not a bug."""
    try:
        yield
    except KeyboardInterrupt as stop:
        print(f"gan-lab: {str(stop) or 'stopped'}", file=sys.stderr)
        sys.exit(getattr(stop, "exit_code", 130))
    except (Exception, HydraPassthrough) as error:
        outcome = None if os.environ.get(DEBUG) else line_and_code(error)
        if outcome is None:
            raise
        line, code = outcome
        print(f"gan-lab: {line}", file=sys.stderr)
        sys.exit(code)


def line_and_code(error: BaseException) -> tuple[str, int] | None:
    """Return what to print and the exit code for an error, None if it is a bug."""
    if isinstance(error, (GanLabError, HydraPassthrough)):
        return summarize_exception(error), error.exit_code
    if _interrupted(error):
        return "stopped", 130
    if isinstance(error, OSError) and error.errno is not None:
        return summarize_exception(error, file=Path.cwd()), 2
    from gan_lab.config.errors import describe_error, is_config_error

    return (describe_error(error), 2) if is_config_error(error) else None


def _interrupted(error: BaseException | None) -> bool:
    """Whether a library has stumbled while it cleaned up after a Ctrl-C."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False
