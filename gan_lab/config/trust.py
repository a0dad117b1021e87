"""What a configuration from a run's folder may build: the folder may be somebody else's.

Hydra calls whatever a ``_target_`` names. What a user composes is theirs to decide; what is read from a run's
folder is checked whole before anything is built. Hydra's own block list remains as a second line of defense.
Hydra 1.4 will accept a list of allowed targets: what `refuse_untrusted` accepts is what that list will hold.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn, optim

from gan_lab.config.errors import describe_error
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import config_dir
from gan_lab.utils.text import truncate

# Of gan_lab only what its own YAML files name: other parts of it write files, or train.
ALLOWED_BASES: dict[str, type] = {"torch.nn": nn.Module, "torch.optim": optim.Optimizer}
GET_CLASS = "hydra.utils.get_class"
# Those that check a file's digest before they unpickle it, and that `load_torchvision` can read.
DATASETS = ("CIFAR10", "CIFAR100", "FashionMNIST", "KMNIST", "MNIST", "QMNIST", "SVHN", "USPS")
# Where torch.nn.functional has those of its functions that are no Python.
_COMPILED = ("torch._C._nn",)
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def trusted_config(plain: dict[str, Any], path: Path, trust: Sequence[str] = ()) -> DictConfig:
    """Return the plain values of a run's ``config.yaml`` as a configuration of which everything may be built.

    Raises GanLabError, which names the file ``path``, for anything that is not to be trusted: only gan-lab's
    own choices, `torch.nn` modules and `torch.optim` optimizers are, and what lies in the modules ``trust``.
    """
    for key, value in walk(plain):
        # gan-lab writes resolved values; an interpolation could become a target after this check.
        if isinstance(value, str) and "${" in value:
            raise GanLabError(
                f"{path}: {key} is the interpolation {_repr(value)}, which gan-lab does not write: "
                "replace it by its value if you trust it"
            )
    refuse_untrusted(plain, trust, where=f"{path}: ")
    try:
        cfg = OmegaConf.create(plain)
    except OmegaConfBaseException as error:
        raise GanLabError(f"{path} is damaged: {describe_error(error)}") from error
    assert isinstance(cfg, DictConfig)
    return cfg


def refuse_untrusted(plain: Any, trust: Sequence[str] = (), *, where: str = "") -> None:
    """Raise ConfigurationError at the first ``_target_`` anywhere in plain values that is not trusted."""
    for module in trust:
        if not _MODULE.fullmatch(module):
            raise ConfigurationError(f"trust must name a module, such as mine.activations, got {module!r}")
        if module == "torch":
            raise ConfigurationError(
                "trust must not name all of torch, which also loads and runs what files hold, got 'torch': "
                "name the part, such as torch.nn.functional, or wrap the function in a module of your own"
            )
    for key, node in walk(plain):
        if isinstance(node, dict) and "_target_" in node:
            reason = _reject_reason(node, trust)
            if reason is not None:
                target = node["_target_"] if node["_target_"] != GET_CLASS else node.get("path")
                name = f"{key}." if key else ""
                module = target.rpartition(".")[0] if isinstance(target, str) else ""
                hint = module if _MODULE.fullmatch(module) and module != "torch" else "MODULE"
                raise ConfigurationError(
                    f"{where}{name}_target_={_repr(target)} is not built, because {reason}: "
                    f"if you trust it, pass --trust {hint}, or trust=[{hint!r}] in Python"
                )


def target_modules(cfg: DictConfig | dict[str, Any]) -> tuple[str, ...]:
    """Return the modules that a configuration names besides gan-lab and torch: its author trusts them."""
    modules = set()
    plain = OmegaConf.to_container(cfg, resolve=True) if isinstance(cfg, DictConfig) else cfg
    for _, node in walk(plain):
        if isinstance(node, dict) and isinstance(node.get("_target_"), str):
            module = node["_target_"].rpartition(".")[0]
            if _MODULE.fullmatch(module) and module.partition(".")[0] not in ("gan_lab", "torch", "hydra"):
                modules.add(module)
    return tuple(sorted(modules))


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key, and every value with its dotted key, of nested dictionaries and lists."""
    yield key, value
    if isinstance(value, dict):
        for name, inside in value.items():
            yield f"{key} (a key)", name
            yield from walk(inside, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from walk(inside, f"{key}[{index}]")


def _reject_reason(node: dict[str, Any], trust: Sequence[str]) -> str | None:
    """Return why the target of a node is not built, None if it is."""
    target = node["_target_"]
    if not isinstance(target, str):
        return "it is not a name"
    if target == GET_CLASS:
        return _reject_reason_of_class(node, trust)
    return None if target in _builtin_targets() else _reject_reason_of_name(target, trust)


def _reject_reason_of_class(node: dict[str, Any], trust: Sequence[str]) -> str | None:
    path = node.get("path")
    if set(node) != {"_target_", "path"} or not isinstance(path, str):
        return "it must be given a path, and nothing else"
    allowed = [f"torchvision.datasets.{name}" for name in DATASETS]
    return None if path in allowed else _reject_reason_of_name(path, trust)


def _reject_reason_of_name(target: str, trust: Sequence[str]) -> str | None:
    claimed = [module for module in (*ALLOWED_BASES, *trust) if target.startswith(f"{module}.")]
    if not claimed:
        return "it is not part of gan_lab, torch.nn or torch.optim"
    if any(part.startswith("__") for part in target.split(".")):
        return "it reaches into the internals of a module"
    try:
        value = get_object(target)
    except Exception as error:
        return f"it cannot be found ({type(error).__name__})"
    # A name may lead out of its module, as torch.nn.modules.module.functools does.
    home = str(getattr(value, "__module__", None))
    if target.rpartition(".")[0] in trust and isinstance(value, BuiltinFunctionType) and home in _COMPILED:
        return None
    if any(home == module or home.startswith(f"{module}.") for module in trust):
        return None
    for module, base in ALLOWED_BASES.items():
        if home.startswith(f"{module}.") and isinstance(value, type) and issubclass(value, base):
            return None
    return f"it is defined elsewhere than it says ({home})"


@cache
def _builtin_targets() -> frozenset[str]:
    """Return what the YAML files that come with gan-lab build; a new file needs no change here."""
    target = re.compile(r"^\s*_target_:\s*(gan_lab\.[\w.]+)", re.MULTILINE)
    texts = (path.read_text(encoding="utf-8") for path in config_dir().glob("*/*.yaml"))
    named = {name for text in texts for name in target.findall(text)}
    return frozenset({*named, "gan_lab.datasets.load_handed_over"})  # which Python code alone chooses


def _repr(value: Any) -> str:
    return truncate(value if isinstance(value, str) else repr(value), 100)
