"""From a composed configuration to objects: instantiation, and errors that name the key."""

import logging
from contextlib import suppress
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from gan_lab.config.schema import value_of
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.memory import require_memory
from gan_lab.utils.text import truncate

logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # what it logs, it also raises


def build(cfg: DictConfig, key: str, **given: Any) -> Any:
    """Instantiate the node ``key``; ``given`` are arguments that only the program knows.

    An ``activation`` inside the node becomes a factory: every site of a network makes its own instance.
    What goes wrong is said in one sentence that starts with the key.
    """
    node = value_of(cfg, key)
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


def build_or_default(cfg: DictConfig, key: str, default: Any) -> Any:
    """Instantiate the node ``key``, or return ``default`` if the key is null, empty or absent."""
    return build(cfg, key) if value_of(cfg, key) else default


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


def _in_one_sentence(key: str, error: InstantiationException) -> GanLabError:
    """The sentence of our own error inside, or the first line of what started it all."""
    cause: BaseException = error
    while cause.__cause__ is not None and not isinstance(cause, GanLabError):
        cause = cause.__cause__
    if isinstance(cause, GanLabError):
        text = str(cause)
        return type(cause)(truncate(text if text.startswith(key) else f"{key}: {text}", 600))
    first = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
    target = str(error).splitlines()[0].split(", set env var")[0]
    said = first if target.startswith("Error in call") or target == first else f"{target}: {first}"
    return ConfigurationError(f"{key}: {truncate(said, 300)}")
