"""The training command: compose, see what stands there already, train, and say where the result is.

Imports no torch: what is finished is answered at once.
"""

import gc
import os
import shutil
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from filelock import FileLock, Timeout
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from gan_lab.config.errors import explain, is_about_the_configuration
from gan_lab.config.schema import check
from gan_lab.runs.folder import LOCK, seed_folder
from gan_lab.runs.log import LOG
from gan_lab.runs.naming import folder_name, study_folder, task_config
from gan_lab.runs.results import read_results
from gan_lab.runs.status import Status, existing_status, is_done
from gan_lab.utils.errors import ConfigurationError, GanLabError, HydraPassthrough, RunFailedError
from gan_lab.utils.paths import config_dir, relative

if TYPE_CHECKING:
    from gan_lab.runs.load import TrainedRun


def _study_dir(*, _root_: DictConfig) -> str:
    return str(study_folder(_root_))


def _run_name(*, _root_: DictConfig) -> str:
    study = Path(_root_.hydra.sweep.dir)
    return folder_name(_root_, study, _root_.hydra.overrides.task)


def _run_dir(*, _root_: DictConfig) -> str:
    study = study_folder(_root_)
    return str(study / folder_name(_root_, study, _root_.hydra.overrides.task))


# At import, because the worker processes of parallel launchers import this module and nothing else.
for _name, _resolver in (
    ("gan_lab_study_dir", _study_dir),
    ("gan_lab_run_name", _run_name),
    ("gan_lab_run_dir", _run_dir),
):
    OmegaConf.register_new_resolver(_name, _resolver, replace=True)


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")
def main(cfg: DictConfig) -> None:
    """Hydra's entrypoint: one run, or one member of a sweep."""
    own = HydraConfig.get()
    folder = Path(own.runtime.output_dir)
    debug = bool(os.environ.get("GAN_LAB_DEBUG"))
    failure: GanLabError | None = None
    try:
        run(cfg, folder, own.runtime.choices)
    except GanLabError as error:
        if own.mode == RunMode.RUN:
            raise HydraPassthrough(error) from error
        if debug:
            traceback.print_exc()
        failure = type(error)(str(error))
    if failure is not None:
        # The error itself holds all that its frames held: the next run of the sweep needs that memory.
        _release_memory()
        raise failure
    print(summary(folder))


def train_overrides(overrides: Sequence[str] = ()) -> "TrainedRun":
    """Train as ``gan-lab train <overrides>`` does, here and now, and return the run.

    Raises `GanLabError` for what the command line would refuse, and `RunFailedError` if the run fails.
    """
    from gan_lab.config.trust import modules_of
    from gan_lab.runs.load import load

    try:
        with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
            cfg = compose("train", overrides=list(overrides), return_hydra_config=True)
        folder, choices = Path(cfg.hydra.run.dir), cfg.hydra.runtime.choices
    except Exception as error:
        if is_about_the_configuration(error):
            raise ConfigurationError(explain(error)) from error
        raise
    own = task_config(cfg)
    run(own, folder, choices)
    return load(folder, modules_of(own))


def run(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> None:
    """Train ``cfg`` in ``folder``, going on from what stands there already; what is done is left as it is.

    Nothing is left of a run that is refused.
    """
    try:
        check(cfg)
        status = None if cfg.rerun else existing_status(cfg, folder)
        if status is None or not is_done(cfg, status):
            from gan_lab.training.run import run_training

            run_training(cfg, folder, choices)
    except RunFailedError:
        raise
    except GanLabError:
        _discard_unless_run(folder)
        raise


def summary(folder: Path) -> str:
    """What is said at the end of a run: what became of it, and how to look at it."""
    status = Status.load(folder)
    assert status is not None
    seeds = status.seeds
    pictures = sorted((seed_folder(folder, seeds[0]) / "samples").glob("*.png"))
    lines = [
        f"{status.state}: {status.step} steps, {len(seeds)} seed{'s'[: len(seeds) - 1]}, "
        f"{status.seconds:.0f} s on {status.device}",
        f"  run      {relative(folder)}",
    ]
    if status.diverged:
        who = ", ".join(f"{s} (step {n})" for s, n in sorted(status.diverged.items()))
        lines.append(f"  diverged seeds {who}")
    lines += _scores(folder, status)
    if pictures:
        lines.append(f"  samples  {relative(pictures[-1])}")
    lines.append(f"  look     tensorboard --logdir '{relative(folder.parent)}'")
    return "\n".join(lines)


def _scores(folder: Path, status: Status) -> list[str]:
    """The score that decides, of every seed, and what measuring has cost."""
    results = []
    with suppress(GanLabError):  # what is damaged, or somebody else's, is not worth a failure here
        found = [read_results(seed_folder(folder, seed)) for seed in status.seeds]
        results = [one for one in found if one is not None]
    if not results:
        return []
    primary = results[0]["primary"]
    last = [one["metrics"][primary]["last"] for one in results]
    floor = results[0]["metrics"][primary]["floor"]
    said = ", ".join(map(_number, last[:8])) + (", ..." if len(last) > 8 else "")
    share = status.metric_seconds / max(status.seconds, 1e-9)
    return [f"  {primary:8} {said} (real data {_number(floor)}; measuring took {share:.0%} of the time)"]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _discard_unless_run(folder: Path) -> None:
    """Remove what was made for a run that was refused, and folders that are empty without it."""
    if not folder.is_dir() or (folder / "status.json").exists():
        return
    with suppress(Timeout, OSError), FileLock(folder / LOCK, timeout=0):  # another may be at its beginning
        shutil.rmtree(folder / ".hydra", ignore_errors=True)
        for name in (LOG, LOCK):
            (folder / name).unlink(missing_ok=True)
    for empty in (folder, *folder.parents[:2]):
        if not empty.is_dir() or any(empty.iterdir()):
            return
        empty.rmdir()


def _release_memory() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
