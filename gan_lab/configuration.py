"""From a composed configuration to objects: range checks, instantiation, and errors that name the key."""

import logging
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from gan_lab.errors import ConfigurationError, GanLabError
from gan_lab.files import in_short
from gan_lab.memory import require_memory

logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # what it logs, it also raises

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
    "engine": (_text, "auto, stacked or side_by_side"),
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
    "rerun": _FLAG,
    **{
        f"{player}optimizer.lr": (_rate, "a number of at least 0")
        for player in ("", "generator_", "discriminator_")
    },
}


def check(cfg: DictConfig) -> None:
    """Refuse a configuration whose plain keys are of the wrong type or out of range."""
    for key, (holds, allowed) in CHECKS.items():
        value = _get(cfg, key)
        if not holds(value):
            raise ConfigurationError(f"{key} must be {allowed}, got {in_short(repr(value))}")
        if isinstance(value, int) and value > LARGEST:
            raise ConfigurationError(f"{key} must be at most {LARGEST}, got {in_short(repr(value))}")


def build(cfg: DictConfig, key: str, **given: Any) -> Any:
    """Instantiate the node ``key``; ``given`` are arguments that only the program knows.

    An ``activation`` inside the node becomes a factory: every site of a network makes its own instance.
    What goes wrong is said in one sentence that starts with the key.
    """
    node = _get(cfg, key)
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise ConfigurationError(f"{key} must hold a _target_, got {node!r}")
    try:
        arguments = OmegaConf.to_container(node, resolve=True)
        assert isinstance(arguments, dict)
        if isinstance(arguments.get("activation"), dict):
            arguments["activation"]["_partial_"] = True
        return instantiate(arguments, _convert_="all", **given)
    except InstantiationException as error:
        raise _in_one_sentence(key, error) from error
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{key}: {str(error).splitlines()[0]}") from error


def build_network(cfg: DictConfig, key: str, shape: tuple[int, ...]) -> nn.Module:
    """The network ``key`` for samples of a shape, if there is memory for it.

    It is first built without storage, on torch's meta device: one that is too large would otherwise take the
    whole machine with it, since Linux promises more memory than it has.
    """
    require_memory(bytes_of(blueprint(cfg, key, shape)), key)
    network: nn.Module = build(cfg, key, shape=shape)
    return network


def blueprint(cfg: DictConfig, key: str, shape: tuple[int, ...]) -> nn.Module | None:
    """The network ``key`` without storage and without its activation, only shapes; None where that fails."""
    plain = cfg.copy()
    with suppress(GanLabError), torch.random.fork_rng(devices=[]), torch.device("meta"):
        if OmegaConf.select(cfg, f"{key}.activation") is not None:
            OmegaConf.update(plain, f"{key}.activation", {"_target_": "torch.nn.Identity"}, merge=False)
        network: nn.Module = build(plain, key, shape=shape)
        return network
    return None


def bytes_of(network: nn.Module | None) -> int:
    """Of its parameters and buffers."""
    state = {} if network is None else network.state_dict()
    return sum(t.numel() * t.element_size() for t in state.values())


def build_activation(cfg: DictConfig, key: str) -> nn.Module:
    """An instance of the activation ``key``, tried on a few numbers: it must keep their shape."""
    activation: nn.Module = build(cfg, key)
    probe = torch.linspace(-3, 3, 8).view(2, 4)
    try:
        shape = tuple(activation(probe).shape)
    except (Exception, SystemExit) as error:
        first = str(error).splitlines()[0] if str(error) else ""
        raise ConfigurationError(f"{key} cannot be applied: {type(error).__name__}: {first}") from error
    if shape != (2, 4):
        raise ConfigurationError(f"{key} must keep the shape of its input, but made {shape} of (2, 4)")
    return activation


def _get(cfg: DictConfig, key: str) -> Any:
    try:
        return OmegaConf.select(cfg, key)
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{key}: {str(error).splitlines()[0]}") from error


def _in_one_sentence(key: str, error: InstantiationException) -> GanLabError:
    """The sentence of our own error inside, or the first line of what started it all."""
    cause: BaseException = error
    while cause.__cause__ is not None and not isinstance(cause, GanLabError):
        cause = cause.__cause__
    if isinstance(cause, GanLabError):
        text = str(cause)
        return type(cause)(in_short(text if text.startswith(key) else f"{key}: {text}", 600))
    first = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    target = str(error).splitlines()[0].split(", set env var")[0]
    said = first if target.startswith("Error in call") or target == first else f"{target}: {first}"
    return ConfigurationError(f"{key}: {in_short(said, 300)}")
