"""The loggers of a seed. None of them can stop or change its run."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from gan_lab.config.loggers import LoggedSeed, Logger
from gan_lab.runs.logger_ids import read_logger_ids, write_logger_ids


class SeedLoggers:
    """All loggers of one seed. One that fails is left out; ``on_failure`` gets its name, step and error."""

    def __init__(
        self,
        loggers: Mapping[str, Logger],
        folder: Path,
        on_failure: Callable[[str, int, BaseException], None] = lambda name, step, error: None,
    ) -> None:
        self._loggers, self._folder, self._on_failure = dict(loggers), folder, on_failure

    def begin(self, study: str, run: str, seed: int, step: int, config: Mapping[str, Any]) -> None:
        if not self._loggers:
            return
        ids = read_logger_ids(self._folder)

        def begin(name: str, logger: Logger) -> None:
            new = logger.begin(LoggedSeed(study, run, seed, step, config, ids.get(name)))
            if new is not None and new != ids.get(name):
                ids[name] = str(new)
                write_logger_ids(self._folder, ids)

        self._each(step, begin)

    def log_scalars(self, step: int, line: Mapping[str, float | None]) -> None:
        """Log a line of ``stats.jsonl``, without its step."""
        scalars = {tag: math.nan if x is None else x for tag, x in line.items() if tag != "step"}
        self._each(step, lambda _, logger: logger.log_scalars(step, scalars))

    def log_image(self, step: int, name: str, image: Tensor) -> None:
        self._each(step, lambda _, logger: logger.log_image(step, name, image))

    def end(self, step: int, *, successful: bool) -> None:
        loggers, self._loggers = self._loggers, {}
        for name, logger in loggers.items():
            try:
                logger.end(successful)
            except Exception as error:
                self._on_failure(name, step, error)

    def _each(self, step: int, call: Callable[[str, Logger], None]) -> None:
        for name, logger in list(self._loggers.items()):
            try:
                call(name, logger)
            except Exception as error:
                del self._loggers[name]
                self._on_failure(name, step, error)
                with suppress(Exception):
                    logger.end(False)
