"""Compose configurations without Hydra's entrypoint, beside the caller's own Hydra. Imports no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.runs.resolvers import register_resolvers
from gan_lab.sweeps.combinations import combinations
from gan_lab.sweeps.compose import SweepComposer
from gan_lab.utils.checks import check_path, refusal
from gan_lab.utils.paths import config_dir


def config_loader(folder: str | Path | None = None) -> ConfigLoader:
    """Return what loads gan-lab's YAML files, and those in ``folder`` as ``--config-dir`` does.

    Hydra's global state stays as it is, so the caller may be an application of Hydra itself. Raises
    ConfigurationError for what is no folder.
    """
    paths = create_config_search_path(str(config_dir()))
    if folder is not None:
        allowed = "a folder of YAML files, such as mine"
        if not check_path("config_dir", folder, allowed).is_dir():
            raise refusal("config_dir", str(folder), allowed)
        paths.prepend("command-line", f"file://{Path(folder).resolve()}", anchor="schema")
    setup_globals()
    register_resolvers()
    return ConfigLoaderImpl(config_search_path=paths)


@dataclass(frozen=True)
class AskedSweep:
    """A sweep as it is asked for. master: its configuration; combinations: the overrides of each run."""

    master: DictConfig
    compose: SweepComposer
    combinations: list[list[str]]


def read_sweep(words: Sequence[str], folder: str | Path | None = None) -> AskedSweep:
    """Compose what ``gan-lab train -m`` would sweep over, see `config_loader` for ``folder``.

    ``words`` are as Hydra reads them. Raises whatever Hydra raises.
    """
    loader = config_loader(folder)
    words = [*words, "hydra.mode=MULTIRUN"]  # as Hydra's entrypoint has it for -m
    master = loader.load_configuration("train", words, RunMode.MULTIRUN, from_shell=False)
    compose = SweepComposer(loader, master)
    params = master.hydra.sweeper.get("params") or {}  # of an experiment
    asked = [*(f"{key}={value}" for key, value in params.items()), *master.hydra.overrides.task]
    return AskedSweep(master, compose, combinations(loader, compose, asked))
