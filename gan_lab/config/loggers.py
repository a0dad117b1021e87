"""What a logger is, and how a run's are built: where a run is logged besides its own folder."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig
from torch import Tensor

from gan_lab.config.build import build
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import truncate


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


def build_loggers(cfg: DictConfig) -> dict[str, Logger]:
    """Build the loggers of one seed, by name; raise ConfigurationError for one that cannot be used."""
    return {str(name): build_logger(cfg, str(name)) for name in cfg.get("logger") or {}}


def build_logger(cfg: DictConfig, name: str) -> Logger:
    """Build one logger; raise ConfigurationError if it cannot be used."""
    logger = build(cfg, f"logger.{name}")
    if not isinstance(logger, Logger):
        raise ConfigurationError(
            f"logger.{name} must be a gan_lab.training.Logger, got {truncate(repr(logger), 80)}"
        )
    return logger
