"""Names: a run's identity, its folder's name and its study's folder. Imports no torch."""

import glob
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lab.config.errors import describe_error
from gan_lab.runs.initial_weights import content_digest
from gan_lab.utils.checks import check_name
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import to_file_name

# Identity covers what is computed. Raise this number if the same configuration computes something else, or
# if the rule below changes: every run then gets a new name.
IDENTITY_VERSION = 1
# What is measured, drawn and reported on the way; the weights are the same to the bit without it.
WATCHED_KEYS = (
    "log",
    "samples",
    "metrics",
    "metric",
    "features",
    "diagnostics",
    "diagnostic",
    "report",
    "keep_best",
)
UNHASHED_KEYS = (
    *WATCHED_KEYS,
    *(
        "steps",
        "study",
        "rerun",
        "checkpoint",
        "logger",
    ),  # a longer run resumes a shorter one, in the same folder
    "race",  # which decides how many runs there are
    *("device", "engine", "execution", "deterministic"),  # where and how it is computed
)
# Overrides that do not appear in a folder's name: what an experiment sets is told apart by the digits.
HIDDEN_IN_NAME = (*UNHASHED_KEYS, "experiment")

_MAX_WORDS = 80  # characters of a folder's name before its digits


def identity(cfg: DictConfig | dict[str, Any]) -> str:
    """Return 64 hexadecimal digits that are the same for configurations that compute the same.

    All keys but `UNHASHED_KEYS` are hashed. A key that is null or empty does not count, at any depth, so that
    a new key that is null by default renames no run. Of ``init_from`` the content counts, not the path.
    """
    plain = {key: value for key, value in to_plain(cfg).items() if key not in UNHASHED_KEYS}
    if plain.get("init_from") is not None:
        plain["init_from"] = content_digest(plain["init_from"])
    return _sha256({"version": IDENTITY_VERSION, "config": without_empty(plain)})


def hash_keys(cfg: DictConfig, keys: Iterable[str]) -> str:
    """Return 64 hexadecimal digits that are the same for the same resolved values of ``keys``.

    As in `identity`, what is null or empty does not count.
    """
    plain = OmegaConf.create(to_plain(cfg))
    values = {key: OmegaConf.create({"value": OmegaConf.select(plain, key)}) for key in keys}
    return _sha256({key: without_empty(OmegaConf.to_container(value)) for key, value in values.items()})


def task_config(cfg: DictConfig) -> DictConfig:
    """Return the task's part of a configuration that was composed together with Hydra's own."""
    return OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"])


def to_plain(cfg: DictConfig | dict[str, Any]) -> dict[str, Any]:
    """Return the task's configuration as resolved plain values, without Hydra's own node; those, if given."""
    if isinstance(cfg, dict):
        return cfg
    try:
        return {str(key): _plain(cfg[key]) for key in cfg if key != "hydra"}
    except OmegaConfBaseException as error:
        raise ConfigurationError(describe_error(error)) from error


def _plain(value: Any) -> Any:
    if not OmegaConf.is_config(value):
        return value
    return OmegaConf.to_container(value, resolve=True, throw_on_missing=True)


def folder_name(cfg: DictConfig, study: Path, overrides: Iterable[str]) -> str:
    """Return the name of a run's folder in a study: readable words, and eight digits of its identity.

    The words are those that asked for it first; only the digits tell whether the study has it.
    """
    digits = identity(cfg)[:8]
    existing = sorted(study.glob(f"*-{digits}")) if study.is_dir() else []
    return existing[0].name if existing else f"{_readable(overrides)}-{digits}"


def shorter_name(
    name: str,
    study: Path,
    overrides: Collection[str],
    common: Collection[str],
    sources: Mapping[str, str] | None = None,
) -> str:
    """Return the name of a new run's folder without the ``common`` overrides, which all runs of a sweep have.

    ``name`` is what `folder_name` returned. It stays as it is if the folder is there already, or if another
    run of the study has the shorter name. sources: what `distinct_sources` returned for the sweep.
    """
    words, _, digits = name.rpartition("-")
    distinct = [override for override in overrides if override not in common]
    if not _shown(distinct, {}) or words != _readable(overrides) or (study / name).exists():
        return name
    short = _readable(distinct, sources or {})
    others = study.glob(f"{glob.escape(short)}-{'[0-9a-f]' * 8}")
    return name if any(path.name != f"{short}-{digits}" for path in others) else f"{short}-{digits}"


def distinct_sources(combinations: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return the ``init_from`` overrides of a sweep -> their words in names of runs, if there are several.

    That is what differs in their paths: "init_from=relu" for a run whose folder is activation=relu-0123abcd
    beside one of activation=elu-89abcdef. Empty if nothing tells them apart.
    """
    every = dict.fromkeys(word for words in combinations for word in words if _key_of(word) == "init_from")
    typed = [override for override in every if not override.endswith("=null")]
    if len(typed) < 2:
        return {}
    for digits in (r"-[0-9a-f]{8}(?=$|[/,])", r"$"):  # as long as the words before them tell runs apart
        paths = [re.sub(digits, "", override.partition("=")[2].strip("'\"")) for override in typed]
        parts = [re.split("[/,]", path) for path in paths]
        shared = set.intersection(*map(set, parts))
        keys = set.intersection(*({part.partition("=")[0] for part in own} for own in parts))
        differing = [[part for part in own if part not in shared] for own in parts]
        names = ["_".join(_value_of(part, keys) for part in own) for own in differing]
        if all(names) and len(set(names)) == len(names):
            return {override: f"init_from={name}" for override, name in zip(typed, names, strict=True)}
    return {}


def _value_of(word: str, keys: Collection[str]) -> str:
    """Return the value of "activation=relu" if its key is one of ``keys``, else the whole word."""
    key, _, value = word.partition("=")
    return value if value and key in keys else word


def study_folder(cfg: DictConfig) -> Path:
    """Return the folder of a configuration's study; raises ConfigurationError for what is no folder name."""
    return Path("outputs") / check_name("study", cfg.study)


def without_empty(value: Any) -> Any:
    """Return plain values without keys that are null or empty, and 1.0 as 1: they compute the same."""
    if isinstance(value, dict):
        kept = {str(key): without_empty(inside) for key, inside in value.items()}
        return {key: inside for key, inside in kept.items() if inside not in (None, {}, [])}
    if isinstance(value, list):
        return [without_empty(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _readable(overrides: Iterable[str], sources: Mapping[str, str] | None = None) -> str:
    """Return overrides as a part of a file name: as many as it has room for, each as a whole."""
    text = ""
    for override in _shown(overrides, sources or {}):
        word = to_file_name(override, _MAX_WORDS)
        if word and len(text) + len(word) + 1 <= _MAX_WORDS + (not text):
            text = f"{text},{word}" if text else word
    return text or "defaults"


def _shown(overrides: Iterable[str], sources: Mapping[str, str]) -> list[str]:
    """Return the overrides that make another run, sorted: the activation comes first."""
    shown = (override for override in overrides if _key_of(override) not in HIDDEN_IN_NAME)
    return sorted({sources.get(override) or _short(override) for override in shown})


def _short(override: str) -> str:
    """Leave out the path of ``init_from``: the name of a run there is as long as this one may be."""
    return "init_from" if _key_of(override) == "init_from" and not override.endswith("=null") else override


def _key_of(override: str) -> str:
    """Return the top key of an override: "metrics" of "+metrics.every=5", "metric" of "metric@x=fid"."""
    return re.split(r"[.@=/]", override.lstrip("+~"), maxsplit=1)[0]


def _sha256(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
