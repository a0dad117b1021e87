"""``status.json``: the state of a run, its progress and how it was trained. Imports no torch."""

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

from gan_lab.runs.formats import damaged, read_record
from gan_lab.runs.sittings import Sitting
from gan_lab.utils.files import atomic_write

STATUS = "status.json"
STATUS_FORMAT = 2
_REMEDY = "move it away, then run the same command again"
_OUTDATED = "train it again with rerun=true, which archives it, or move it away"
ENDED = ("finished", "diverged")  # states to which the same command has nothing to add


@dataclass
class Status:
    """What ``status.json`` holds. ``state``: running, finished, interrupted, failed or diverged.

    step: generator steps done; shape: of one sample; choices: config group -> chosen name; engine, execution:
    as their keys say, or what auto took; precision: as its key says, empty where it was not recorded;
    seconds: time of all sittings together, of which metric_seconds and diagnostic_seconds went into metrics
    and diagnostics; diverged: seed -> step at which its loss stopped being finite; gains: network -> gain of
    its initialization; measured_from: first step whose scores were made as ``config.yaml`` says, since a run
    may be resumed with other metrics; evaluation_digest: of how they are made; data_fingerprint,
    data_samples: of the training data; data_stamp: of their files, empty if they do not come from a folder;
    sites: network -> what is swapped and kept in one of the user's own; initial_weights: network -> what of
    it came from ``init_from``; sittings: of the processes that have trained it, one after the other.
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
    execution: str
    precision: str = ""
    seconds: float = 0.0
    metric_seconds: float = 0.0
    diagnostic_seconds: float = 0.0
    started: str = ""
    ended: str = ""
    diverged: dict[int, int] = field(default_factory=dict)
    gains: dict[str, float] = field(default_factory=dict)
    measured_from: int = 0
    evaluation_digest: str = ""
    reason: str = ""
    host: str = field(default_factory=platform.node)
    process: int = field(default_factory=os.getpid)
    versions: dict[str, str] = field(default_factory=dict)
    data_fingerprint: str = ""
    data_samples: int = 0
    data_stamp: str = ""
    sites: dict[str, str] = field(default_factory=dict)
    initial_weights: dict[str, str] = field(default_factory=dict)
    sittings: list[Sitting] = field(default_factory=list)

    def data_change(self, fingerprint: str, samples: int) -> str | None:
        """Say what is different between the training data and data as they are now; None if nothing is."""
        return data_change(self.data_fingerprint, self.data_samples, fingerprint, samples)

    def save(self, folder: Path) -> None:
        content = {"format": STATUS_FORMAT, **asdict(self)}
        atomic_write(folder / STATUS, json.dumps(content, indent=2) + "\n")

    @staticmethod
    def process_info() -> dict[str, Any]:
        return {"host": platform.node(), "process": os.getpid(), "started": now()}

    @classmethod
    def load(cls, folder: Path) -> "Status | None":
        """Read the status in ``folder``; None if no run has been there.

        Raises GanLabError for a file that is corrupt, or of another format.
        """
        path = folder / STATUS
        content = read_record(path, folder, STATUS_FORMAT, remedy=_REMEDY, outdated=_OUTDATED)
        if content is None:
            return None
        del content["format"]
        try:
            status = cls(**content)
            status.device = status.device.replace("(1 threads)", "(1 thread)")  # as it was written before
            status.diverged = {int(seed): step for seed, step in status.diverged.items()}
            status.sittings = [Sitting(**sitting) for sitting in status.sittings]  # type: ignore[arg-type]
        except (ValueError, TypeError, AttributeError):
            raise damaged(path, _REMEDY) from None
        for name, is_valid in _VALIDATORS.items():
            if not is_valid(getattr(status, name)):
                raise damaged(path, _REMEDY, name)
        return status


def data_change(fingerprint: str, samples: int, now: str, samples_now: int) -> str | None:
    """Say what is different between data and the same data set now; None if nothing is, or is known."""
    if fingerprint in ("", now):
        return None
    if samples != samples_now:
        return f"{samples:,} samples then, {samples_now:,} now"
    return "as many samples with other content"


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


def _is_sitting(value: Sitting) -> bool:
    texts = (value.device, value.engine, value.execution)
    return (
        all(map(_is_str, texts))
        and all(map(_is_count, (value.threads, value.from_step, value.to_step)))
        and _is_dict_of(value.versions, _is_str, _is_str)
        and _is_number(value.seconds)
        and (value.load is None or _is_number(value.load))
    )


# A status may come from a stranger: its seeds become names of folders, and all of it is shown.
_VALIDATORS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(
        ("identity", "evaluation_digest", "device", "engine", "execution", "precision", "reason"), _is_str
    ),
    **dict.fromkeys(("started", "ended", "host", "data_fingerprint", "data_stamp"), _is_str),
    **dict.fromkeys(("seconds", "metric_seconds", "diagnostic_seconds"), _is_number),
    **dict.fromkeys(("step", "steps", "measured_from", "data_samples"), _is_count),
    "state": lambda value: value in ("running", "finished", "interrupted", "failed", "diverged"),
    "process": lambda value: type(value) is int and 0 < value < 2**31,
    "seeds": lambda value: bool(value) and _is_list_of(value, _is_count),
    "shape": lambda value: _is_list_of(value, _is_count) and len(value) in (1, 3) and all(value),
    # A group from which several are taken has a list, such as metric.
    "choices": lambda value: _is_dict_of(value, _is_str, lambda v: _is_str(v) or _is_list_of(v, _is_str)),
    "versions": lambda value: _is_dict_of(value, _is_str, _is_str),
    **dict.fromkeys(("sites", "initial_weights"), lambda value: _is_dict_of(value, _is_str, _is_str)),
    "gains": lambda value: _is_dict_of(value, _is_str, _is_number),
    "diverged": lambda value: _is_dict_of(value, _is_count, _is_count),
    "sittings": lambda value: _is_list_of(value, _is_sitting),
}


def versions() -> dict[str, str]:
    names = ("gan-lab", "torch", "torchvision", "hydra-core", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
