"""Names: a run's identity, its folder's name and its study's folder. Imports no torch."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lab.utils.errors import ConfigurationError

# A longer run of the same configuration goes on from the shorter one; these keys say where it is, whether to
# start over, what is said about it and how exactly it is repeated; every other key makes another run.
UNHASHED_KEYS = ("steps", "study", "rerun", "report", "deterministic")
# What is watched and where, which would only crowd a folder's name; the digits behind it tell them apart.
HIDDEN_IN_NAME = (
    *UNHASHED_KEYS,
    "experiment=",
    "log.",
    "samples.",
    "metrics.",
    "diagnostics.",
    "checkpoint.",
)
_LONGEST_NAME = 80


def identity(cfg: DictConfig) -> str:
    """64 hexadecimal digits that are the same for the same resolved configuration."""
    plain = to_plain(cfg)
    return _sha256({key: plain[key] for key in plain if key not in UNHASHED_KEYS})


def hash_keys(cfg: DictConfig, keys: Iterable[str]) -> str:
    """64 hexadecimal digits that are the same for the same resolved values of ``keys``."""
    plain = OmegaConf.create(to_plain(cfg))
    return _sha256(
        {key: OmegaConf.to_container(OmegaConf.create({"v": OmegaConf.select(plain, key)})) for key in keys}
    )


def task_config(cfg: DictConfig) -> DictConfig:
    """The task's part of a configuration that was composed together with Hydra's own."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])


def to_plain(cfg: DictConfig) -> dict[str, Any]:
    """The task's configuration as plain values, without Hydra's own node."""
    try:
        plain = OmegaConf.to_container(task_config(cfg), resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigurationError(str(error).splitlines()[0]) from error
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def run_name(cfg: DictConfig, overrides: Iterable[str]) -> str:
    """Folder name: the overrides as far as they are readable, and eight digits of the identity."""
    said = sorted({o for o in overrides if not o.lstrip("+~").startswith(HIDDEN_IN_NAME)})
    readable = re.sub(r"[^A-Za-z0-9._=,+-]+", "-", ",".join(said))[:_LONGEST_NAME].strip(".-,")
    return f"{readable or 'defaults'}-{identity(cfg)[:8]}"


def folder_name(cfg: DictConfig, study: Path, overrides: Iterable[str]) -> str:
    """Name of this configuration's folder in a study, whatever words asked for it the first time."""
    known = sorted(study.glob(f"*-{identity(cfg)[:8]}")) if study.is_dir() else []
    return known[0].name if known else run_name(cfg, overrides)


def study_folder(cfg: DictConfig) -> Path:
    name = str(cfg.study)
    if not re.fullmatch(r"\w[\w.,=+ -]{0,99}", name):
        raise ConfigurationError(
            "study must be a folder name of at most 100 letters, digits, spaces and . , = + - _, "
            f"got {name[:60]!r}"
        )
    return Path("outputs") / name


def _sha256(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
