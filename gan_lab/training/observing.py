"""Observations of a run: one that fails costs no more than itself, and training goes on."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gan_lab.runs.status import Status
from gan_lab.utils.errors import summarize_exception

_log = logging.getLogger(__name__)


class Observations:
    """Says what could not be observed, always in the log, and the first time of its kind with ``say``."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say, self._said = say, set[str]()

    @contextmanager
    def observing(self, what: str, step: int) -> Iterator[None]:
        """Log what fails inside, and go on.

        An `OSError` still ends the run: what cannot write pictures cannot write checkpoints either.
        """
        try:
            yield
        except OSError:
            raise
        except Exception as error:
            self.not_measured(what, step, error)

    def not_measured(self, what: str, step: int, error: BaseException) -> None:
        self._say_once(what, f"{what} not measured at step {step}: {summarize_exception(error)}", error)

    def logger_failed(self, name: str, step: int, error: BaseException) -> None:
        reason = f"logger {name} failed at step {step} and is left out: {summarize_exception(error)}"
        self._say_once(f"logger {name}", reason, error)

    def overview_failed(self, error: BaseException) -> None:
        reason = f"the study's overview in TensorBoard was not written: {summarize_exception(error)}"
        self._say_once("overview", reason, error)

    def _say_once(self, what: str, reason: str, error: BaseException) -> None:
        _log.info("%s", reason, exc_info=error)
        if what not in self._said:
            self._said.add(what)
            self._say(f"gan-lab: {reason}; training continues")


@contextmanager
def counted_in(status: Status, name: str) -> Iterator[None]:
    """Add the seconds that are spent inside to a field of the status."""
    begun = time.monotonic()
    yield
    setattr(status, name, getattr(status, name) + time.monotonic() - begun)
