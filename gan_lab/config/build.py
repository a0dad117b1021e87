"""From a composed configuration to objects: instantiation, and errors that name the key."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path
from traceback import extract_tb
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn
from torch.nn.parameter import is_lazy

from gan_lab.config.activations import ActivationFactory, activation_factory, activation_nodes
from gan_lab.config.errors import describe_error
from gan_lab.config.schema import value_of
from gan_lab.config.trust import target_modules
from gan_lab.utils.errors import ConfigurationError, GanLabError, summarize_exception
from gan_lab.utils.memory import require_memory
from gan_lab.utils.seeding import seeded
from gan_lab.utils.text import truncate

logging.getLogger("hydra.utils").setLevel(logging.CRITICAL)  # what it logs, it also raises


def build(cfg: DictConfig, key: str, **given: Any) -> Any:
    """Instantiate the node ``key``; ``given`` are arguments that only the program knows.

    An ``activation`` inside the node becomes a factory: every site of a network makes its own instance.
    What goes wrong is said in one sentence that starts with the key.
    """
    arguments = _arguments(cfg, key)
    with _described_errors(key):
        _import_modules(key, arguments)
        for parent, name in activation_nodes(arguments):
            parent[name] = activation_factory(parent[name])
        return instantiate(arguments, _convert_="all", **given)


def _arguments(cfg: DictConfig, key: str) -> dict[str, Any]:
    """The plain values of the node ``key``, which must name what to build."""
    node = value_of(cfg, key)
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise ConfigurationError(f"{key} must hold a _target_, got {node!r}")
    try:
        arguments = OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{key}: {describe_error(error)}") from error
    assert isinstance(arguments, dict)
    return {str(name): value for name, value in arguments.items()}


@contextmanager
def _described_errors(key: str) -> Iterator[None]:
    """Raise one sentence that starts with the key for whatever goes wrong when a node is built."""
    try:
        yield
    except InstantiationException as error:
        raise _described(key, error) from error
    except OmegaConfBaseException as error:
        raise ConfigurationError(f"{key}: {describe_error(error)}") from error
    except GanLabError as error:
        if str(error).startswith(key):
            raise
        raise type(error)(f"{key}: {error}") from error


def _import_modules(key: str, arguments: dict[str, Any]) -> None:
    """Import what a node names; raise ConfigurationError for a script that ends the program at its import.

    Such a script reads gan-lab's command line as if it were its own, and prints its usage, which is no help.
    Any other failure is left to Hydra, which says the same once more.
    """
    for module in target_modules(arguments):
        printed = StringIO()
        try:
            with redirect_stderr(printed):
                import_module(module)
        except SystemExit as error:
            file, line = _where_it_ended(error)
            raise ConfigurationError(
                f"{key}: importing {module} runs {file} as a script, which ends in line {line} (it may read "
                "the command line): copy the classes that are needed, with the values that they use, into a "
                "module of their own, and name that in _target_"
            ) from error
        except Exception:
            continue  # a class inside a module has a name that is no module's
        sys.stderr.write(printed.getvalue())


def _where_it_ended(error: BaseException) -> tuple[str, int]:
    """Return file and line of the last module that was being imported when an error came."""
    frames = [frame for frame in extract_tb(error.__traceback__) if frame.name == "<module>"]
    return (Path(frames[-1].filename).name, frames[-1].lineno or 0) if frames else ("it", 0)


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
    late = [name for name, t in (*network.named_parameters(), *network.named_buffers()) if is_lazy(t)]
    if late:
        raise ConfigurationError(f"{key}: {late[0]} is made at the first forward pass: make it in __init__")
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
    return sum(t.numel() * t.element_size() for t in state.values() if not is_lazy(t))


def build_activation(cfg: DictConfig, key: str) -> nn.Module:
    """An instance of the activation ``key``, tried on a few numbers: it must keep their shape."""
    arguments = _arguments(cfg, key)
    with _described_errors(key):
        factory = activation_factory(arguments)
        arguments.pop("per", None)
        made = isinstance(factory, ActivationFactory)
        activation: nn.Module = factory(1) if made else instantiate(arguments, _convert_="all")
    if isinstance(factory, ActivationFactory) and factory.takes_features:
        return activation
    if getattr(activation, "is_function", True) is False:  # a stand-in, which is applied to nothing
        return activation
    probe = torch.linspace(-3, 3, 8).view(2, 4)
    try:
        with seeded(0, "tried activation"):
            shape = tuple(activation(probe).shape)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{key} cannot be applied: {summarize_exception(error)}") from error
    if shape != (2, 4):
        raise ConfigurationError(f"{key} must keep the shape of its input, but made {shape} of (2, 4)")
    return activation


def _described(key: str, error: InstantiationException) -> GanLabError:
    """Return the error of ours inside one of Hydra's, or else one that says what started it all."""
    cause: BaseException = error
    while cause.__cause__ is not None and not isinstance(cause, GanLabError):
        cause = cause.__cause__
    if isinstance(cause, GanLabError):
        sentence = str(cause) if str(cause).startswith(key) else f"{key}: {cause}"
        return type(cause)(truncate(sentence, 900))  # a sentence of ours, which may name a long path thrice
    if cause is error:
        return ConfigurationError(f"{key}: {describe_error(error)}")
    problem = describe_error(error).split(", set env var")[0]
    reason = summarize_exception(cause, bare=True)
    if isinstance(cause, ModuleNotFoundError) and cause.name:
        target, missing = _target_of(problem), cause.name.partition(".")[0]
        if missing == target.partition(".")[0]:
            return ConfigurationError(
                f"{key}: {reason} for {target}: it was looked for in {Path.cwd()} and on PYTHONPATH "
                "(PYTHONPATH=FOLDER gan-lab ... adds a folder)"
            )
        if target:
            return ConfigurationError(f"{key}: {target} needs the package {missing}, which is not installed")
    # Hydra's first line says what went wrong unless the call itself failed: then it only says where.
    called = problem.startswith("Error in call") or problem == reason
    return ConfigurationError(f"{key}: {reason if called else f'{problem}: {reason}'}")


def _target_of(problem: str) -> str:
    """Return the dotted name that Hydra's sentence says it looked for; empty if it says none."""
    match = re.search(r"locating target '([^']+)'|import module '([^']+)'|Error loading '([^']+)'", problem)
    return next(filter(None, match.groups()), "") if match else ""
