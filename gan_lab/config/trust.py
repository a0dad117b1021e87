"""What a configuration that came from elsewhere may build: people pass run folders around.

Hydra calls whatever a ``_target_`` names. A configuration that the caller composes is their own word; one
that is read from a run's folder may be a stranger's, so everything in it is looked at before anything is
built. Hydra's own block list stays behind this as a second fence. Its 1.4 can be given a whitelist for
``instantiate``: what `refuse_untrusted` lets through is what that list will hold.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import nn, optim

from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import config_dir

# gan_lab as a whole is none of these: a part of it that writes files, or trains, is no choice of a run.
FAMILIES: tuple[tuple[str, type], ...] = (("torch.nn", nn.Module), ("torch.optim", optim.Optimizer))
GET_CLASS = "hydra.utils.get_class"
# Those that check a file's digest before they unpickle it, and have what `torchvision_images` wants.
DATASETS = ("CIFAR10", "CIFAR100", "FashionMNIST", "KMNIST", "MNIST", "QMNIST", "SVHN", "USPS")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def trusted_config(plain: dict[str, Any], path: Path, trust: Sequence[str] = ()) -> DictConfig:
    """Return the plain values of a run's ``config.yaml`` as a configuration of which everything may be built.

    Raises GanLabError, which names the file ``path``, for anything that is not to be trusted: only gan-lab's
    own choices, `torch.nn` modules and `torch.optim` optimizers are, and what lies in the modules ``trust``.
    """
    for key, value in walk(plain):
        # gan-lab writes values; what is still to be computed could become a target after this look at it.
        if isinstance(value, str) and "${" in value:
            raise GanLabError(
                f"{path}: {key} is the interpolation {_shown(value)}, and gan-lab writes none: "
                "put the value there if you trust it"
            )
    refuse_untrusted(plain, trust, where=f"{path}: ")
    try:
        cfg = OmegaConf.create(plain)
    except OmegaConfBaseException as error:
        raise GanLabError(f"{path} is damaged: {str(error).splitlines()[0]}") from error
    assert isinstance(cfg, DictConfig)
    return cfg


def refuse_untrusted(plain: Any, trust: Sequence[str] = (), *, where: str = "") -> None:
    """Raise ConfigurationError at the first ``_target_`` anywhere in plain values that is not trusted."""
    for module in trust:
        if not _MODULE.fullmatch(module):
            raise ConfigurationError(f"trust must name a module, such as mine.activations, got {module!r}")
    for key, node in walk(plain):
        if isinstance(node, dict) and "_target_" in node:
            why = _doubt(node, trust)
            if why is not None:
                target = node["_target_"] if node["_target_"] != GET_CLASS else node.get("path")
                name = f"{key}." if key else ""
                module = target.rpartition(".")[0] if isinstance(target, str) else ""
                hint = module if _MODULE.fullmatch(module) else "MODULE"
                raise ConfigurationError(
                    f"{where}{name}_target_={_shown(target)} is not built, because {why}: "
                    f"if you know it and trust it, say --trust {hint}, or trust=[{hint!r}] in Python"
                )


def modules_of(cfg: DictConfig) -> tuple[str, ...]:
    """The modules that the targets of a configuration name: what its author trusts."""
    found = set()
    for _, node in walk(OmegaConf.to_container(cfg, resolve=True)):
        if isinstance(node, dict) and isinstance(node.get("_target_"), str):
            module = node["_target_"].rpartition(".")[0]
            if _MODULE.fullmatch(module) and not module.startswith(("gan_lab", "torch", "hydra")):
                found.add(module)
    return tuple(sorted(found))


def walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every key, and every value with its dotted key, in nested dictionaries and lists."""
    yield key, value
    if isinstance(value, dict):
        for name, inside in value.items():
            yield f"{key} (a key)", name
            yield from walk(inside, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for place, inside in enumerate(value):
            yield from walk(inside, f"{key}[{place}]")


def _doubt(node: dict[str, Any], trust: Sequence[str]) -> str | None:
    """Why what a node names is not built, None where it is."""
    target = node["_target_"]
    if not isinstance(target, str):
        return "it is no name"
    if target == GET_CLASS:
        return _doubt_class(node, trust)
    return None if target in _own_choices() else _doubt_name(target, trust)


def _doubt_class(node: dict[str, Any], trust: Sequence[str]) -> str | None:
    path = node.get("path")
    if set(node) != {"_target_", "path"} or not isinstance(path, str):
        return "it must be given a path, and nothing else"
    known = [f"torchvision.datasets.{name}" for name in DATASETS]
    return None if path in known else _doubt_name(path, trust)


def _doubt_name(target: str, trust: Sequence[str]) -> str | None:
    family = next((kind for name, kind in FAMILIES if target.startswith(f"{name}.")), None)
    own = [module for module in trust if target.startswith(f"{module}.")]
    if family is None and not own:
        return "it came with the run and is no part of gan-lab, torch.nn or torch.optim"
    if any(part.startswith("__") for part in target.split(".")):
        return "it reaches into the inside of a module"
    try:
        found = get_object(target)
    except Exception as error:
        return f"it cannot be found ({type(error).__name__})"
    # A name may lead out of its module, as torch.nn.modules.module.functools does.
    home = str(getattr(found, "__module__", None))
    if any(home == module or home.startswith(f"{module}.") for module in trust):
        return None
    for name, kind in FAMILIES:
        if home.startswith(f"{name}.") and isinstance(found, type) and issubclass(found, kind):
            return None
    return f"it is defined elsewhere than it says ({home})" if own or family else "it is not one of theirs"


@cache
def _own_choices() -> frozenset[str]:
    """What the YAML files that come with gan-lab build: a new file counts without a change here."""
    target = re.compile(r"^\s*_target_:\s*(gan_lab\.[\w.]+)", re.MULTILINE)
    texts = (path.read_text(encoding="utf-8") for path in config_dir().glob("*/*.yaml"))
    return frozenset(name for text in texts for name in target.findall(text))


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return " ".join((text if len(text) <= 100 else f"{text[:100]}...").split())
