"""``config.yaml``, the resolved configuration of a run, and Hydra's record beside it. Imports no torch."""

import re
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from omegaconf import DictConfig, OmegaConf

from gan_lab.runs.naming import to_plain
from gan_lab.runs.reader import read_bytes, require_plain
from gan_lab.utils.errors import GanLabError, summarize_exception
from gan_lab.utils.files import atomic_write

CONFIG = "config.yaml"
_MAX_SIZE = 2**20  # bytes; gan-lab's own files have a few thousand
_TIMESTAMP, _FLOAT = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML as OmegaConf reads it, six times as fast: 1e-4 is a number, and a date is text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own)
        first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(_FLOAT, re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))


def write_config(folder: Path, cfg: DictConfig) -> None:
    """Write the resolved configuration of a run."""
    atomic_write(folder / CONFIG, OmegaConf.to_yaml(OmegaConf.create(to_plain(cfg))))


def read_config(folder: Path) -> dict[str, Any]:
    """Read a run's configuration as plain values, in which nothing is resolved.

    Raises GanLabError if the file is missing or corrupt, or is nothing that gan-lab writes.
    """
    path = folder / CONFIG
    plain = _read_yaml(path, folder)
    if not isinstance(plain, dict) or not plain:
        raise GanLabError(f"{path} is damaged: it holds no keys")
    return {str(key): value for key, value in plain.items()}


def read_hydra_record(folder: Path, name: str) -> Any:
    """Read ``.hydra/<name>`` as plain values; None if it is missing. Raises GanLabError if it is corrupt."""
    path = folder / ".hydra" / name
    return _read_yaml(path, folder) if path.exists() or path.is_symlink() else None


def _read_yaml(path: Path, run: Path) -> Any:
    try:
        text = read_bytes(path, run, _MAX_SIZE).decode("utf-8")
        # A few nested aliases make billions of nodes, and a list can hold itself; gan-lab writes none.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise GanLabError(f"{path} has YAML aliases, and gan-lab writes none")
        value = yaml.load(text, Loader=_Loader)
        require_plain(value, strict=False)
        return value
    except OSError as error:
        raise GanLabError(f"{path} cannot be read: {summarize_exception(error, bare=True)}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise GanLabError(f"{path} is damaged: {summarize_exception(error, bare=True)}") from error
