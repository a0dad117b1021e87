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

from gan_lab.config.aliases import entry_called
from gan_lab.config.build import build_activation
from gan_lab.config.errors import config_errors
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import config_dir


@dataclass(frozen=True)
class ActivationQuery:
    """The name of a configured activation and overrides: ("elu", ("activation.alpha=0.5",))."""

    name: str
    overrides: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return " ".join([self.name, *(re.sub(r"^([+~]*)activation\.", r"\1", o) for o in self.overrides)])


@dataclass(frozen=True)
class ActivationSpec:
    """An activation as built, with the keys of its YAML file, and the formula at its head, if any."""

    query: ActivationQuery
    module: nn.Module
    settings: dict[str, Any]
    formula: str | None


def parse(words: Sequence[str]) -> list[ActivationQuery]:
    """Read names, each followed by its overrides: ``relu elu activation.alpha=0.5``."""
    queries: list[ActivationQuery] = []
    for word in words:
        if "=" not in word:
            queries.append(ActivationQuery(word))
        elif not queries:
            raise ConfigurationError(f"{word} must follow the name of an activation")
        elif not re.match(r"[+~]*activation\.", word):
            raise ConfigurationError(f"only activation.<key>=<value> can follow a name, got {word}")
        else:
            queries[-1] = ActivationQuery(queries[-1].name, (*queries[-1].overrides, word))
    return queries


def available(folder: Path | None) -> list[str]:
    """Return the names of all activations; ``folder`` is what ``--config-dir`` names."""
    names = {path.stem for group in _groups(folder) for path in group.glob("*.yaml")}
    return sorted(names - {"as_written"})  # which is no function


def shadowed_files(name: str, folder: Path | None) -> list[Path]:
    """Return the files of that name that are not read, because gan-lab has an entry of the same name."""
    return _files(name, folder)[1:]


def _groups(folder: Path | None) -> list[Path]:
    if folder is not None and not folder.is_dir():
        raise ConfigurationError(f"--config-dir must be a folder, got {folder}")
    return [each / "activation" for each in (config_dir(), folder) if each is not None]


def _files(name: str, folder: Path | None) -> list[Path]:
    """Return the entries of that name; Hydra reads the first, which is gan-lab's if it has one."""
    return [path for group in _groups(folder) if (path := group / f"{name}.yaml").exists()]


def build_spec(query: ActivationQuery, folder: Path | None) -> ActivationSpec:
    """Build an activation exactly as ``gan-lab train`` would.

    Raises ConfigurationError for an entry or a key that does not exist, and `GanLabError` for an entry that
    exists and cannot be built or applied.
    """
    folders = [] if folder is None else [folder]
    name = entry_called("activation", query.name, folders) or query.name
    query = ActivationQuery(name, query.overrides)
    overrides = [f"activation={_quoted(name)}", *query.overrides]
    if folder is not None:
        overrides.append(f"hydra.searchpath=[{_quoted(f'file://{folder.resolve()}')}]")
    try:
        with config_errors(), initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            cfg = compose("train", overrides=overrides)
    except ConfigurationError as error:
        if isinstance(error.__cause__, yaml.YAMLError):  # a file that exists, and is no YAML
            raise GanLabError(str(error)) from error
        raise
    try:
        module = build_activation(cfg, "activation")
    except ConfigurationError as error:
        raise GanLabError(str(error)) from error
    node = OmegaConf.to_container(cfg.activation, resolve=True)
    assert isinstance(node, dict)
    settings = {str(key): value for key, value in node.items() if not str(key).startswith("_")}
    formulas = [_formula(file) for file in _files(query.name, folder)]
    return ActivationSpec(query, module, settings, formulas[0] if formulas else None)


def _quoted(text: str) -> str:
    """Quote for Hydra's grammar, in which a bare ``nan`` or ``null`` is no text."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _formula(file: Path) -> str | None:
    """Return what follows ``f(x) =`` in the comment at the head of a YAML file."""
    head = re.match(r"(?:\s*#[^\n]*\n|\s*\n)*", file.read_text(encoding="utf-8"))
    formula = re.search(r"^\s*#\s*f\(x\) = (.+)$", head[0] if head else "", re.MULTILINE)
    return formula[1].strip() if formula else None
