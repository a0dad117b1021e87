"""Errors that are the caller's: one sentence on stderr, and exit code 2; 1 where a run failed on its way."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gan_lab.utils.errors import GanLabError, HydraPassthrough

DEBUG = "GAN_LAB_DEBUG"  # set by --debug; worker processes inherit it


@contextmanager
def one_sentence() -> Iterator[None]:
    """End the process with one sentence where the caller is at fault; ``--debug`` shows the traceback."""
    debug = bool(os.environ.get(DEBUG))
    try:
        yield
    except (GanLabError, HydraPassthrough) as error:
        if debug:
            raise
        fail(str(error), error.exit_code)
    except KeyboardInterrupt as stop:
        print(f"gan-lab: {str(stop) or 'stopped'}", file=sys.stderr)
        sys.exit(getattr(stop, "exit_code", 130))
    except Exception as error:
        from gan_lab.config.errors import explain, is_about_the_configuration
        from gan_lab.utils.text import truncate

        if debug:
            raise
        if _began_as_an_interruption(error):
            print("gan-lab: stopped", file=sys.stderr)
            sys.exit(130)
        if isinstance(error, OSError) and error.errno is not None:
            # A full disk is noticed while writing, and then Python knows no name.
            where = Path.cwd() if error.filename is None else os.fsdecode(error.filename)
            fail(f"{truncate(str(where))}: {error.strerror}")
        if is_about_the_configuration(error):
            fail(explain(error))
        raise


def _began_as_an_interruption(error: BaseException | None) -> bool:
    """Whether a library has stumbled while it cleaned up behind a Ctrl-C."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def fail(sentence: str, code: int = 2) -> None:
    print("gan-lab: " + " ".join(sentence.split()), file=sys.stderr)
    sys.exit(code)
