"""Keep the study's overview in TensorBoard up to date while a run trains, at little cost and no risk."""

import time
from collections.abc import Callable
from pathlib import Path

from gan_lab.report.tensorboard import update_overview

_SECONDS_BETWEEN = 10.0
_SHARE = 0.03  # of the time, at most


class Overview:
    """The overview of the study that a run's folder lies in; there is none for a folder elsewhere.

    ``on_failure`` gets the error when it cannot be written.
    """

    def __init__(
        self, run: Path, study: str, primary: str | None, on_failure: Callable[[Exception], None]
    ) -> None:
        self._study = run.absolute().parent
        self._active = self._study.name == study
        self._primary, self._on_failure = primary, on_failure
        self._next = time.monotonic() + _SECONDS_BETWEEN

    def update(self) -> None:
        """Write it if it is time to, and no other process does."""
        if self._active and time.monotonic() >= self._next:
            begun = time.monotonic()
            self._write(wait=False)
            now = time.monotonic()
            self._next = now + max(_SECONDS_BETWEEN, (now - begun) / _SHARE)

    def finish(self) -> None:
        """Write it at the end of a run."""
        if self._active:
            self._write(wait=True)

    def _write(self, *, wait: bool) -> None:
        try:
            update_overview(self._study, self._primary, wait=wait)
        except Exception as error:  # the run is worth more than its picture
            self._on_failure(error)
