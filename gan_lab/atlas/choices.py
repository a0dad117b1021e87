"""Which activations there are: the package's, the user's, and how a YAML file says what it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import nn

from gan_lab.config.build import build_activation
from gan_lab.config.errors import explain, is_about_the_configuration
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import config_dir


@dataclass(frozen=True)
class Request:
    """A configured activation, and what to change of it: ("elu", ("activation.alpha=0.5",))."""

    name: str
    overrides: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return " ".join([self.name, *(re.sub(r"^([+~]*)activation\.", r"\1", o) for o in self.overrides)])


@dataclass(frozen=True)
class Choice:
    """An activation as it was built, with the keys of its YAML file and its formula, if that says one."""

    request: Request
    module: nn.Module
    settings: dict[str, Any]
    formula: str | None


def parse(words: Sequence[str]) -> list[Request]:
    """Names, each followed by its overrides: ``relu elu activation.alpha=0.5``."""
    requests: list[Request] = []
    for word in words:
        if "=" not in word:
            requests.append(Request(word))
        elif not requests:
            raise ConfigurationError(f"{word} must follow the name of an activation")
        elif not re.match(r"[+~]*activation\.", word):
            raise ConfigurationError(f"only activation.<key>=<value> can follow a name, got {word}")
        else:
            requests[-1] = Request(requests[-1].name, (*requests[-1].overrides, word))
    return requests


def folders(own: Path | None) -> list[Path]:
    """Where entries are looked for, first come first served, as Hydra does it with ``--config-dir``."""
    if own is not None and not own.is_dir():
        raise ConfigurationError(f"--config-dir must be a folder, got {own}")
    return [folder / "activation" for folder in (config_dir(), own) if folder is not None]


def known(own: Path | None) -> list[str]:
    return sorted({path.stem for folder in folders(own) for path in folder.glob("*.yaml")})


def hidden(name: str, own: Path | None) -> list[Path]:
    """Files of that name that nobody reads, because gan-lab has an entry of the same name."""
    return [path for folder in folders(own) if (path := folder / f"{name}.yaml").exists()][1:]


def choose(request: Request, own: Path | None) -> Choice:
    """Build what was asked for, exactly as ``gan-lab train`` would.

    Raises ConfigurationError for an entry or a key that does not exist, and `GanLabError` for an entry that
    is there and cannot be built or applied.
    """
    overrides = [f"activation={_quoted(request.name)}", *request.overrides]
    if own is not None:
        overrides.append(f"hydra.searchpath=[{_quoted(f'file://{own.resolve()}')}]")
    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            cfg = compose("train", overrides=overrides)
    except Exception as error:
        if isinstance(error, yaml.YAMLError):  # a file that is there, and is none
            raise GanLabError(explain(error)) from error
        if is_about_the_configuration(error):
            raise ConfigurationError(explain(error)) from error
        raise GanLabError(f"{type(error).__name__}: {' '.join(str(error).split())}") from error
    try:
        module = build_activation(cfg, "activation")
    except ConfigurationError as error:
        raise GanLabError(str(error)) from error
    node = OmegaConf.to_container(cfg.activation, resolve=True)
    assert isinstance(node, dict)
    settings = {str(key): value for key, value in node.items() if not str(key).startswith("_")}
    return Choice(request, module, settings, _formula(request.name, own))


def _quoted(text: str) -> str:
    """As Hydra's grammar wants it, where a bare ``nan`` or ``null`` would not be text."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _formula(name: str, own: Path | None) -> str | None:
    """What follows ``f(x) =`` in the comment at the head of the YAML file."""
    for folder in folders(own):
        path = folder / f"{name}.yaml"
        if path.exists():
            head = re.match(r"(?:\s*#[^\n]*\n|\s*\n)*", path.read_text(encoding="utf-8"))
            found = re.search(r"^\s*#\s*f\(x\) = (.+)$", head[0] if head else "", re.MULTILINE)
            return found[1].strip() if found else None
    return None
