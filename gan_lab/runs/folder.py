"""A run's folder: its name, what stands in it, and what became of the run."""

import hashlib
import json
import math
import os
import platform
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.files import atomic_write

# A longer run of the same configuration goes on from the shorter one; these keys say where it is, whether to
# start over, what is said about it and how exactly it is repeated; every other key makes another run.
UNHASHED_KEYS = ("steps", "study", "rerun", "report", "deterministic")
# What is watched and where, which would only crowd a folder's name; the digits behind it tell them apart.
_UNSPOKEN = (*UNHASHED_KEYS, "experiment=", "log.", "samples.", "metrics.", "diagnostics.", "checkpoint.")
_LONGEST_NAME = 80
LOCK = ".lock"
LOG = "train.log"


@dataclass
class Status:
    """What ``status.json`` says. ``state``: running, finished, interrupted, failed or diverged.

    step: generator steps done; seconds: time of all sittings together, of which metric_seconds and
    diagnostic_seconds went into metrics and diagnostics; shape: of one sample;
    choices: config group -> chosen name; gains: network -> gain of its initialization; diverged: seed ->
    step at which its loss stopped being finite.
    """

    identity: str
    state: str
    step: int
    steps: int
    seeds: list[int]
    shape: list[int]
    choices: dict[str, str]
    device: str
    engine: str
    seconds: float = 0.0
    metric_seconds: float = 0.0
    diagnostic_seconds: float = 0.0
    started: str = ""
    ended: str = ""
    diverged: dict[int, int] = field(default_factory=dict)
    gains: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    host: str = field(default_factory=platform.node)
    process: int = field(default_factory=os.getpid)
    versions: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        atomic_write(folder / "status.json", json.dumps(asdict(self), indent=2) + "\n")

    @staticmethod
    def process_info() -> dict[str, Any]:
        return {"host": platform.node(), "process": os.getpid(), "started": now()}

    @classmethod
    def load(cls, folder: Path) -> "Status | None":
        """The status in ``folder``, or None where no run has been."""
        path = folder / "status.json"
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            status = cls(**json.loads(text))
            status.diverged = {int(seed): step for seed, step in status.diverged.items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise GanLabError(f"{path} is damaged: move it away to go on") from None
        for name, holds in _SOUND.items():
            if not holds(getattr(status, name)):
                raise GanLabError(f"{path} is damaged ({name}): move it away to go on")
        return status


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -math.inf < value < math.inf


def _list_of(value: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(holds, value))


def _table_of(value: Any, key: Callable[[Any], bool], holds: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(key, value)) and all(map(holds, value.values()))


# A status may come from a stranger: its seeds become names of folders, and all of it is shown.
_SOUND: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("identity", "device", "engine", "started", "ended", "reason", "host"), _is_text),
    **dict.fromkeys(("seconds", "metric_seconds", "diagnostic_seconds"), _is_number),
    **dict.fromkeys(("step", "steps"), _is_count),
    "state": lambda value: value in ("running", "finished", "interrupted", "failed", "diverged"),
    "process": lambda value: type(value) is int and 0 < value < 2**31,
    "seeds": lambda value: bool(value) and _list_of(value, _is_count),
    "shape": lambda value: _list_of(value, _is_count) and len(value) in (1, 3) and all(value),
    # A group from which several are taken has a list, such as metric.
    "choices": lambda value: _table_of(value, _is_text, lambda v: _is_text(v) or _list_of(v, _is_text)),
    "versions": lambda value: _table_of(value, _is_text, _is_text),
    "gains": lambda value: _table_of(value, _is_text, _is_number),
    "diverged": lambda value: _table_of(value, _is_count, _is_count),
}


def existing_status(cfg: DictConfig, folder: Path) -> Status | None:
    """What became of this run before, None where nothing has been."""
    status = Status.load(folder)
    if status is not None and status.identity != identity(cfg):
        raise ConfigurationError(
            f"{folder} holds a run of another configuration: take another hydra.run.dir, "
            "or rerun=true to put that one aside"
        )
    return status


def is_done(cfg: DictConfig, status: Status) -> bool:
    """Whether training has nothing to add: a longer run goes on, one that has diverged stays as it is."""
    return status.state == "diverged" or (status.state == "finished" and status.step >= cfg.steps)


def archive_run(folder: Path, status: Status) -> Path:
    """Move what a run has left out of the way of the next one; returns where to."""
    name, number = f"{folder.name}.before-{now().replace(':', '')}", 1
    aside = folder.with_name(name)
    while aside.exists():  # a second ago
        number += 1
        aside = folder.with_name(f"{name}.{number}")
    aside.mkdir()
    seeds = [seed_folder(Path(), seed).name for seed in status.seeds]
    # The status goes last: stopped in between, the next start moves the rest.
    for name in ("config.yaml", "checkpoint", *seeds, "status.json"):
        if (folder / name).exists():
            (folder / name).rename(aside / name)
    return aside


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Have a run's folder to oneself; the operating system releases it when the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / LOCK, timeout=0):
            yield
    except Timeout:
        status = Status.load(folder)
        who = f"process {status.process} on {status.host}, since {status.started}" if status else "another"
        raise GanLabError(f"{folder} is being trained by {who}: wait for it, or stop it") from None


def identity(cfg: DictConfig) -> str:
    """64 hexadecimal digits that are the same for the same resolved configuration."""
    plain = to_plain(cfg)
    return _digest({key: plain[key] for key in plain if key not in UNHASHED_KEYS})


def hash_keys(cfg: DictConfig, keys: Iterable[str]) -> str:
    """64 hexadecimal digits that are the same for the same resolved values of ``keys``."""
    plain = OmegaConf.create(to_plain(cfg))
    return _digest(
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
    said = sorted({o for o in overrides if not o.lstrip("+~").startswith(_UNSPOKEN)})
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


def run_folders(folder: Path) -> list[Path]:
    """The folder itself where it is a run's, else the runs in it, by name."""
    if (folder / "status.json").is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob("*/status.json"))


def seed_folder(folder: Path, seed: int) -> Path:
    return folder / f"seed_{seed}"


def versions() -> dict[str, str]:
    names = ("gan-lab", "torch", "torchvision", "hydra-core", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _digest(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
