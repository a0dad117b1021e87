"""Train from Python code: one run, or all runs of a study, in this process."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.api.objects import entries_of, refuse_list_of_images
from gan_lab.api.overrides import check_words, to_overrides
from gan_lab.config.command_line import complete_words
from gan_lab.config.errors import config_errors, groups, single_choice_groups
from gan_lab.sweeps.loader import config_loader, read_sweep
from gan_lab.utils.checks import check_path
from gan_lab.utils.errors import ConfigurationError, GanLabError, RunFailedError
from gan_lab.utils.text import plural, truncate

if TYPE_CHECKING:
    from gan_lab.runs.load import TrainedRun

_log = logging.getLogger(__name__)


def train_run(
    overrides: Sequence[str] = (), /, *, config_dir: str | Path | None = None, **choices: Any
) -> "TrainedRun":
    """Train one run as ``gan-lab train`` does, and return it.

    What is chosen is given as keywords, ``train_run(activation="elu", optimizer__lr=1e-3)``, or as on the
    command line, ``train_run(["activation=elu", "optimizer.lr=1e-3"])``, or both. Classes and images may
    stand for names, see `gan_lab.api.objects.entries_of`. config_dir: a folder of YAML files of your own. A
    finished run is returned as it is, an interrupted one is resumed.

    Raises `GanLabError` for what the command line would refuse, and `RunFailedError` if the run fails.
    """
    from gan_lab.runs.existing import watched_note

    several = set(groups().values()) - single_choice_groups()
    for key, value in choices.items():
        refuse_list_of_images(key, value)
        if isinstance(value, list) and len(value) != 1 and key not in several:
            shown = truncate(repr(value), 80)
            raise ConfigurationError(
                f"train_run() trains one run, got several values, {key}={shown}: Study(NAME).train(...) "
                "trains a run for each, and a value that has several numbers is a tuple"
            )
    loader = config_loader(config_dir)
    folders = _folders(config_dir)
    with entries_of(choices) as named:
        words = [*check_words(overrides), *to_overrides(named)]
        with config_errors():
            words = complete_words(words, folders)
            composed = loader.load_configuration("train", words, RunMode.RUN, from_shell=False)
            folder = Path(composed.hydra.run.dir)
    cfg = _train(composed, folder)
    trained = _load(cfg, folder)
    if note := watched_note(cfg, trained.run):
        _log.warning(note)
    return trained


def train_all(
    overrides: Sequence[str] = (), *, config_dir: str | Path | None = None, **choices: Any
) -> "list[TrainedRun]":
    """Train a run for every combination of values one after the other, print a table, and return the runs.

    Raises as `train_run` does; a run that fails does not stop the others, and `RunFailedError` is raised at
    the end.
    """
    with entries_of(choices) as named:
        return _train_all([*check_words(overrides), *to_overrides(named)], config_dir)


def _train_all(words: list[str], config_dir: str | Path | None) -> "list[TrainedRun]":
    from gan_lab.sweeps.sweep import sweep

    folders = _folders(config_dir)
    with config_errors():
        asked = read_sweep(complete_words(words, folders), config_dir)
        runs, compose = asked.combinations, asked.compose
        failures: list[BaseException] = []
        failed = sweep(runs, compose, _make_folder, _launcher(compose, failures))
    if failed:
        reason = str(failures[0]) if failures else "the table above says why"
        raise RunFailedError(f"{plural(failed, 'run')} of {len(runs)} failed: {reason}")
    trained = {}
    for run in runs:
        composed = compose(run)
        folder = _sweep_folder(composed)
        trained[folder] = _load(_task(composed), folder)
    return list(trained.values())


def _folders(config_dir: str | Path | None) -> list[Path]:
    allowed = "a folder of YAML files, such as mine"
    return [] if config_dir is None else [check_path("config_dir", config_dir, allowed)]


def _launcher(
    compose: Callable[[list[str]], DictConfig], failures: list[BaseException]
) -> Callable[[Sequence[Sequence[str]], int], Sequence[JobReturn]]:
    """Return a launcher, in the manner of Hydra's, that trains in this process and keeps what went wrong."""

    def launch(jobs: Sequence[Sequence[str]], _: int) -> Sequence[JobReturn]:
        returns = []
        for overrides in jobs:
            composed, outcome = compose(list(overrides)), JobReturn()
            try:
                _train(composed, _sweep_folder(composed))
                outcome.status = JobStatus.COMPLETED
            except GanLabError as error:
                outcome.status, outcome.return_value = JobStatus.FAILED, error
                failures.append(error)
            returns.append(outcome)
        return returns

    return launch


def _train(composed: DictConfig, folder: Path) -> DictConfig:
    """Train a composed configuration in a folder; return the task's part of it."""
    from gan_lab.api.state import as_in_a_process_of_its_own
    from gan_lab.train import train

    cfg = _task(composed)
    with as_in_a_process_of_its_own():
        train(cfg, folder, composed.hydra)
    return cfg


def _task(composed: DictConfig) -> DictConfig:
    from gan_lab.runs.naming import task_config

    return task_config(composed)


def _load(cfg: DictConfig, folder: Path) -> "TrainedRun":
    from gan_lab.config.trust import target_modules
    from gan_lab.runs.load import load

    return load(folder, target_modules(cfg))


def _sweep_folder(composed: DictConfig) -> Path:
    return Path(composed.hydra.sweep.dir, composed.hydra.sweep.subdir)


def _make_folder(study: Path) -> None:
    study.mkdir(parents=True, exist_ok=True)
