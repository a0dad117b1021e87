"""From the folders of a study to what stands in them. Imports no torch, so that `gan-lab ls` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from gan_lab.runs.folder import ARCHIVED, run_folders, seed_folder
from gan_lab.runs.results import read_results
from gan_lab.runs.stats import read_stats
from gan_lab.runs.status import Status
from gan_lab.utils.errors import GanLabError


@dataclass(frozen=True)
class Seed:
    """One seed's folder. results: its ``results.json``, None where there is none; diverged: at which step."""

    number: int
    folder: Path
    results: dict[str, Any] | None
    diverged: int | None


@dataclass(frozen=True)
class Run:
    """One run's folder. overrides: what was typed, None where Hydra left no record of it.

    config_dir: folder of the caller's own YAML files, where one was given.
    """

    folder: Path
    status: Status
    config: dict[str, Any]
    overrides: list[str] | None
    config_dir: str | None
    seeds: list[Seed]

    @property
    def name(self) -> str:
        return self.folder.name


@dataclass(frozen=True)
class Study:
    """runs: by name; damaged: folder name -> what is wrong with it; aside: names of runs put aside."""

    name: str
    folder: Path
    runs: list[Run]
    damaged: dict[str, str]
    aside: list[str]


def find_study(name: str | Path) -> Path:
    """The folder called ``name``, here or under ``outputs/``."""
    for folder in (Path(name), Path("outputs") / name):
        if folder.is_dir():
            return folder
    known = sorted(path.name for path in Path("outputs").glob("*/") if run_folders(path))
    there = f"; the studies under outputs/ are {', '.join(known)}" if known else ""
    raise GanLabError(f"there is no study {str(name)!r}{there}")


def collect(folder: Path) -> Study:
    """Read every run in a study's folder; a single run is a study of one."""
    found = run_folders(folder)
    if not found:
        raise GanLabError(f"{folder} is neither a run nor a study: there is no status.json in it or below it")
    runs, damaged, aside = [], {}, []
    for path in found:
        if ARCHIVED in path.name:
            aside.append(path.name)
            continue
        try:
            runs.append(_run(path))
        except GanLabError as error:
            damaged[path.name] = str(error)
    return Study(folder.resolve().name, folder, runs, damaged, aside)


def history_of(folder: Path) -> list[dict[str, Any]]:
    """Lines of a seed's ``stats.jsonl``."""
    try:
        return read_stats(folder)
    except ValueError:
        raise GanLabError(f"{folder / 'stats.jsonl'} is damaged: move it away to go on") from None


def status_of(folder: Path) -> Status:
    status = Status.load(folder)
    if status is None:
        raise GanLabError(f"{folder} holds no status.json")
    return status


def _run(folder: Path) -> Run:
    status = status_of(folder)
    seeds = [
        Seed(number, path, read_results(path), status.diverged.get(number))
        for number, path in ((number, seed_folder(folder, number)) for number in status.seeds)
    ]
    config = _yaml(folder / "config.yaml")
    if not isinstance(config, dict):
        raise GanLabError(f"{folder / 'config.yaml'} is missing or damaged")
    overrides = _yaml(folder / ".hydra" / "overrides.yaml")
    return Run(
        folder,
        status,
        config,
        [str(override) for override in overrides] if isinstance(overrides, list) else None,
        _config_dir(_yaml(folder / ".hydra" / "hydra.yaml")),
        seeds,
    )


def _yaml(path: Path) -> Any:
    """Plain values, or None where the file is not there or is not YAML."""
    try:
        return OmegaConf.to_container(OmegaConf.load(path))
    except (OSError, YAMLError, OmegaConfBaseException, UnicodeDecodeError):
        return None


def _config_dir(hydra: Any) -> str | None:
    """What ``--config-dir`` said: Hydra's record names the one who gave each source."""
    try:
        sources = hydra["hydra"]["runtime"]["config_sources"]
        return next((str(s["path"]) for s in sources if s["provider"] == "command-line"), None)
    except (KeyError, TypeError):
        return None
