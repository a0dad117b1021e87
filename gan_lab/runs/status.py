"""``status.json``: how far a run is, and what became of it. Imports no torch."""

import json
import math
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan_lab.runs.naming import identity
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.files import atomic_write


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
        for name, is_valid in _VALIDATORS.items():
            if not is_valid(getattr(status, name)):
                raise GanLabError(f"{path} is damaged ({name}): move it away to go on")
        return status


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_str(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -math.inf < value < math.inf


def _is_list_of(value: Any, is_valid: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(is_valid, value))


def _is_dict_of(value: Any, key: Callable[[Any], bool], is_valid: Callable[[Any], bool]) -> bool:
    return isinstance(value, dict) and all(map(key, value)) and all(map(is_valid, value.values()))


# A status may come from a stranger: its seeds become names of folders, and all of it is shown.
_VALIDATORS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("identity", "device", "engine", "started", "ended", "reason", "host"), _is_str),
    **dict.fromkeys(("seconds", "metric_seconds", "diagnostic_seconds"), _is_number),
    **dict.fromkeys(("step", "steps"), _is_count),
    "state": lambda value: value in ("running", "finished", "interrupted", "failed", "diverged"),
    "process": lambda value: type(value) is int and 0 < value < 2**31,
    "seeds": lambda value: bool(value) and _is_list_of(value, _is_count),
    "shape": lambda value: _is_list_of(value, _is_count) and len(value) in (1, 3) and all(value),
    # A group from which several are taken has a list, such as metric.
    "choices": lambda value: _is_dict_of(value, _is_str, lambda v: _is_str(v) or _is_list_of(v, _is_str)),
    "versions": lambda value: _is_dict_of(value, _is_str, _is_str),
    "gains": lambda value: _is_dict_of(value, _is_str, _is_number),
    "diverged": lambda value: _is_dict_of(value, _is_count, _is_count),
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


def versions() -> dict[str, str]:
    names = ("gan-lab", "torch", "torchvision", "hydra-core", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
