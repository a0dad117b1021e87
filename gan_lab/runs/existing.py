"""What a folder already holds for a configuration that is asked for. Imports no torch."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan_lab.datasets.files import data_stamp
from gan_lab.runs.checkpoint_files import CHECKPOINTS, checkpoint_files
from gan_lab.runs.naming import WATCHED_KEYS, identity, to_plain, without_empty
from gan_lab.runs.run import Run
from gan_lab.runs.status import Status
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import relative

_MAX_SHOWN = 4
# Watched keys that change no number.
_WITHOUT_EFFECT = ("metrics.workers",)
# Watched keys that can still be changed for weights that are trained.
_EVALUATE_FLAGS = {"features": "--features", "metric": "--metric", "metrics.samples": "--samples"}
_REPORT_FLAGS = {"report.primary": "--primary", "report.reference": "--reference"}


def existing_status(cfg: DictConfig | dict[str, Any], folder: Path) -> Status | None:
    """Return the status of this run so far, None if the folder holds none.

    Raises ConfigurationError if the folder holds another run.
    """
    status = Status.load(folder)
    if status is not None and status.identity != identity(cfg):
        raise ConfigurationError(
            f"{folder} holds a run of another configuration: take another hydra.run.dir, "
            "or rerun=true to archive that one"
        )
    return status


def readable_status(folder: Path) -> Status | None:
    """Return the status in a folder, None if there is none or if it cannot be read."""
    try:
        return Status.load(folder)
    except GanLabError:
        return None


def require_resumable(cfg: DictConfig, folder: Path, status: Status) -> None:
    """Raise ConfigurationError if a finished run is asked for more steps, and has no checkpoint left."""
    if status.state == "finished" and status.step < cfg.steps and not has_checkpoints(folder):
        raise ConfigurationError(
            f"steps={cfg.steps}: {relative(folder)} has finished {status.step} steps and cannot be "
            "continued, because its checkpoints were pruned: rerun=true starts over"
        )


def has_checkpoints(folder: Path) -> bool:
    return bool(checkpoint_files(folder / CHECKPOINTS))


def is_done(
    cfg: DictConfig | dict[str, Any],
    status: Status,
    stamp_of: Callable[[Mapping[str, Any]], str | None] = data_stamp,
) -> bool:
    """Return whether training has nothing to add; a run that has diverged stays as it is.

    If the files of its data have changed since, training looks whether their content has, too. ``stamp_of``
    stamps the files of a data set, as `data_stamp` does.
    """
    ended = status.state == "diverged" or (status.state == "finished" and status.step >= cfg["steps"])
    if not ended or not status.data_stamp:
        return ended
    return stamp_of(to_plain(cfg)["dataset"]) in (None, status.data_stamp)


def watched_differences(cfg: DictConfig | dict[str, Any], trained: Mapping[str, Any]) -> dict[str, str]:
    """Compare the watched keys of ``cfg`` with those of the configuration that a run was trained with.

    Returns key -> text, such as "metrics.every" -> "metrics.every=500 (asked for: 100)".
    """
    before, after = _leaves(trained), _leaves(to_plain(cfg))
    texts = {}
    for key in sorted({*before, *after}):
        if before.get(key) == after.get(key):
            continue
        shown, values = key, [_show(leaves.get(key)) for leaves in (before, after)]
        if _is_other_choice(key, before, after):  # which differs in all its parameters
            shown = key.partition(".")[0]
            values = [_choices(leaves, shown) for leaves in (before, after)]
        texts[shown] = f"{shown}={values[0]} (asked for: {values[1]})"
    return texts


def watched_note(cfg: DictConfig, run: Run) -> str:
    """Say how a finished run was watched otherwise than asked for, and what to type; empty if it was not."""
    try:
        differences = watched_differences(cfg, run.config)
    except GanLabError as error:
        return str(error)
    return describe_differences(differences, run.folder, "this run was")


def describe_differences(differences: Mapping[str, str], folder: Path, subject: str) -> str:
    """Say that ``subject`` was watched otherwise than asked for, and what to type; empty if it was not.

    ``folder``: what is to be evaluated, a run or a study.
    """
    if not differences:
        return ""
    shown = list(differences.values())[:_MAX_SHOWN]
    if len(differences) > len(shown):
        shown.append(f"{len(differences) - len(shown)} more")
    listed = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 else shown[0]
    ways = []
    if flags := [flag for key, flag in _EVALUATE_FLAGS.items() if key in differences]:
        path = shlex.quote(str(relative(folder)))
        ways.append(f"gan-lab evaluate {path} measures again ({', '.join(flags)})")
    if flags := [flag for key, flag in _REPORT_FLAGS.items() if key in differences]:
        ways.append(f"gan-lab report takes {' and '.join(flags)}")
    return f"{subject} trained with {listed}: {', '.join([*ways, 'rerun=true trains again'])}"


def _leaves(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the watched part of a configuration by dotted keys."""
    leaves = _flatten(without_empty({key: config.get(key) for key in WATCHED_KEYS}))
    return {key: value for key, value in leaves if key not in _WITHOUT_EFFECT}


def _flatten(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from _flatten(inside, f"{key}.{name}" if key else name)
    else:
        yield key, value


def _is_other_choice(key: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether a key belongs to an entry of a group that is another one, or is on one side only."""
    parts = key.split(".")
    targets = [f"{'.'.join(parts[:depth])}._target_" for depth in (1, 2)]
    return any(before.get(target) != after.get(target) for target in targets)


def _choices(leaves: Mapping[str, Any], group: str) -> str:
    """Return the entries of a group: "fid,kid" of a metric, "raw_features" of features."""
    if target := leaves.get(f"{group}._target_"):
        return str(target).rpartition(".")[2]
    return (
        ",".join(dict.fromkeys(key.split(".")[1] for key in leaves if key.startswith(f"{group}."))) or "null"
    )


def _show(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
