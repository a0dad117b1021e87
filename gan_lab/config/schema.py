"""What each plain key of a configuration may be. Imports no torch, so that a mistake is told at once."""

import math
from collections.abc import Callable
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.files import truncate

Check = Callable[[Any], bool]
LARGEST = 10**15  # far from where a number stops fitting into 64 bits, whatever it is multiplied by


def _whole(at_least: int) -> tuple[Check, str]:
    def holds(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= at_least

    return holds, f"a whole number of at least {at_least}"


def _one_of(*choices: str) -> tuple[Check, str]:
    return lambda value: value in choices, f"one of {', '.join(choices)}"


def _positive_or_null(value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value is None or (number and math.isfinite(value) and value > 0)


def _decay(value: Any) -> bool:
    return value is None or (isinstance(value, float) and 0 < value < 1)


def _rate(value: Any) -> bool:
    return _positive_or_null(value) or value == 0


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _name_or_null(value: Any) -> bool:
    return value is None or _text(value)


_FLAG: tuple[Check, str] = (lambda value: isinstance(value, bool), "true or false")

# What each plain key of configs/train.yaml may be; group entries check themselves when they are built.
CHECKS: dict[str, tuple[Check, str]] = {
    "study": (_text, "a name"),
    "steps": _whole(1),
    "batch_size": _whole(1),
    "seed": _whole(0),
    "seeds": _whole(1),
    "discriminator_steps": _whole(1),
    "device": (_text, "auto, cpu, cuda, cuda:<number> or mps"),
    "precision": _one_of("fp32", "bf16"),
    "engine": (_text, "auto, stacked, side_by_side or captured"),
    "ema": (_decay, "null or a decay between 0 and 1, such as 0.999"),
    "log.every": _whole(1),
    "log.histograms": _FLAG,
    "samples.every": _whole(0),
    "samples.number": _whole(1),
    "metrics.every": _whole(0),
    "metrics.samples": _whole(2),
    "diagnostics.every": _whole(0),
    "diagnostics.samples": _whole(2),
    "report.primary": (_name_or_null, "null or the name of a score, such as fid"),
    "report.reference": (_text, "the name of an activation"),
    "checkpoint.every": _whole(0),
    "checkpoint.minutes": (_positive_or_null, "null or a number of minutes above 0"),
    "deterministic": _FLAG,
    "rerun": _FLAG,
    **{
        f"{player}optimizer.lr": (_rate, "a number of at least 0")
        for player in ("", "generator_", "discriminator_")
    },
}


def check(cfg: DictConfig) -> None:
    """Refuse a configuration whose plain keys are of the wrong type or out of range."""
    for key, (holds, allowed) in CHECKS.items():
        value = value_of(cfg, key)
        if not holds(value):
            raise ConfigurationError(f"{key} must be {allowed}, got {truncate(repr(value))}")
        if isinstance(value, int) and value > LARGEST:
            raise ConfigurationError(f"{key} must be at most {LARGEST}, got {truncate(repr(value))}")


def value_of(cfg: DictConfig, key: str) -> Any:
    try:
        return OmegaConf.select(cfg, key)
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{key}: {str(error).splitlines()[0]}") from error
