"""Loggers: where a run is logged besides its own folder. None of them can stop or change it."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from gan_lab.config.build import build
from gan_lab.runs.logger_ids import read_logger_ids, write_logger_ids
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import truncate

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoggedSeed:
    """What a logger is told of the seed that it logs.

    run: name of the run's folder; step: after which logging begins, above 0 if the run is resumed; config:
    the run's resolved configuration; id: what `Logger.begin` has returned before, None the first time.
    """

    study: str
    run: str
    seed: int
    step: int
    config: Mapping[str, Any]
    id: str | None = None


class Logger(ABC):
    """Logs one seed of a run; every seed has an instance of its own.

    A constructor that raises refuses the run before it has begun. What any method raises after that leaves
    this logger out, and training continues. A resumed run logs the steps after its last checkpoint again,
    with the same numbers.
    """

    @abstractmethod
    def begin(self, seed: LoggedSeed) -> str | None:
        """Begin, or continue what ``seed.id`` names; return the id to be given when the run is resumed."""

    @abstractmethod
    def log_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        """Log all numbers of a step: the line of ``stats.jsonl``, with NaN for what is not finite."""

    def log_image(self, step: int, name: str, image: Tensor) -> None:  # noqa: B027
        """Log a picture, (3, H, W) uint8: ``samples`` of a step, or the ``real`` ones."""

    def end(self, successful: bool) -> None:  # noqa: B027
        """End, for now or for good; successful: whether the seed is trained to its last step."""


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


def build_loggers(cfg: DictConfig) -> dict[str, Logger]:
    """Build the loggers of one seed, by name; raise ConfigurationError for one that cannot be used."""
    loggers = {}
    for name in cfg.get("logger") or {}:
        loggers[str(name)] = logger = build(cfg, f"logger.{name}")
        if not isinstance(logger, Logger):
            raise ConfigurationError(
                f"logger.{name} must be a gan_lab.training.Logger, got {truncate(repr(logger), 80)}"
            )
    return loggers
