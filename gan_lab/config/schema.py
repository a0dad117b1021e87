"""What each plain key of a configuration may be. Imports no torch, so that a mistake is reported at once."""

import math
from functools import partial
from typing import Any, NamedTuple

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lab.config.errors import describe_error
from gan_lab.utils.checks import (
    Validator,
    check_bool,
    check_choice,
    check_int,
    check_name,
    check_number,
    check_text,
    refusal,
)
from gan_lab.utils.errors import ConfigurationError


def _optional(validate: Validator) -> Validator:
    return lambda key, value: None if value is None else validate(key, value)


class ScoreMargin(NamedTuple):
    """A difference of scores: a share of the better one, or a number; metric: of which, None for any."""

    value: float
    share: bool
    metric: str | None = None


def check_margin(key: str, value: Any) -> ScoreMargin | None:
    """Check ``report.margin``: null, a share such as 0.1 or "10%", a number from 1 on, or "0.02 mode_js"."""
    allowed = (
        'null, a share below 1, a number of the metric from 1 on, or "number metric", such as "0.02 kid"'
    )
    if value is None:
        return None
    number, _, metric = str(value).strip().partition(" ")
    percent = number.endswith("%")
    try:
        size = float(number.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        raise refusal(key, value, allowed) from None
    share = percent or (size < 1 and not metric)
    if isinstance(value, bool) or not 0 < size < (1 if share else math.inf) or (percent and metric):
        raise refusal(key, value, allowed)
    return ScoreMargin(size, share, metric.strip() or None)


def _check_true(key: str, value: Any) -> None:
    """Check null or true: false would be hashed, and name another run that computes the same as null."""
    if value is not None and value is not True:
        raise refusal(key, value, "null or true")


_RATE = _optional(partial(check_number, at_least=0))

# Groups whose entry none is empty, and which each network may have of its own.
OPTIONAL_GROUPS = ("schedule", "clipping")
_OTHER = {"generator": "discriminator", "discriminator": "generator"}

# The plain keys of configs/train.yaml; a group's entry checks its own keys when it is built.
VALIDATORS: dict[str, Validator] = {
    "study": check_name,
    "dataset.name": _optional(check_name),
    "steps": check_int,
    "batch_size": check_int,
    "generator_batch_size": _optional(check_int),
    "seed": partial(check_int, at_least=0),
    "seeds": check_int,
    "discriminator_steps": check_int,
    "device": partial(check_text, allowed="auto, cpu, cuda, cuda:<number> or mps"),
    "precision": partial(check_choice, choices=("fp32", "tf32", "bf16")),
    "engine": partial(check_choice, choices=("auto", "sequential", "vmap")),
    "execution": partial(check_choice, choices=("auto", "eager", "compiled", "cuda_graph")),
    "init_from": _optional(partial(check_text, allowed="null, a run's folder or a .safetensors file")),
    "init_partial": _check_true,
    "keep_best": check_bool,
    "ema": _optional(
        partial(check_number, above=0, below=1, allowed="null or a decay between 0 and 1, such as 0.999")
    ),
    "log.every": check_int,
    "log.histograms": check_bool,
    "log.layers": _optional(check_bool),
    "samples.every": partial(check_int, at_least=0),
    "samples.number": check_int,
    "metrics.every": partial(check_int, at_least=0),
    "metrics.samples": partial(check_int, at_least=2),
    "metrics.workers": _optional(partial(check_int, at_least=0, at_most=256)),
    "diagnostics.every": partial(check_int, at_least=0),
    "diagnostics.samples": partial(check_int, at_least=2),
    "report.primary": _optional(partial(check_text, allowed="null or the name of a score, such as fid")),
    "report.reference": partial(check_text, allowed="the name of an activation"),
    "report.margin": check_margin,
    "race.seeds": partial(check_int, at_least=5, at_most=1_000),
    "race.hours": _optional(partial(check_number, above=0, allowed="null or a number of hours above 0")),
    "race.alpha": partial(check_number, above=0, below=1, allowed="a probability between 0 and 1"),
    "checkpoint.every": partial(check_int, at_least=0),
    "checkpoint.minutes": _optional(
        partial(check_number, above=0, allowed="null or a number of minutes above 0")
    ),
    "checkpoint.keep": check_int,
    "deterministic": check_bool,
    "rerun": check_bool,
    "optimizer.lr": _RATE,
    "generator_optimizer.lr": _RATE,
    "discriminator_optimizer.lr": _RATE,
}


def check(cfg: DictConfig) -> None:
    """Raise ConfigurationError at the first plain key of the wrong type or out of range."""
    for key, validate in VALIDATORS.items():
        validate(key, value_of(cfg, key))
    if cfg.init_partial and cfg.init_from is None:
        raise ConfigurationError("init_partial=true needs init_from, which says where weights come from")
    if cfg.keep_best and not cfg.metrics.every:
        raise ConfigurationError("keep_best=true needs scores: metrics.every must be above 0, got 0")
    for group in OPTIONAL_GROUPS:
        for player, other in _OTHER.items():
            # An empty entry is not hashed: the run would have the name of one in which both networks have it.
            if value_of(cfg, f"{player}_{group}") == {} and value_of(cfg, group):
                raise ConfigurationError(
                    f"{group}@{player}_{group}=none does not work beside {group}: leave {group} out, and "
                    f"choose {group}@{other}_{group}=NAME for the other network alone"
                )


def value_of(cfg: DictConfig, key: str) -> Any:
    """Return the value at a dotted key, None if it is absent; ConfigurationError if it cannot be resolved."""
    try:
        return OmegaConf.select(cfg, key)
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{key}: {describe_error(error)}") from error
