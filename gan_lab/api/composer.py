"""Compose configurations for Python code, beside whatever Hydra the caller has. Imports no torch."""

from pathlib import Path

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import setup_globals

from gan_lab.runs.resolvers import register_resolvers
from gan_lab.utils.checks import refusal
from gan_lab.utils.paths import config_dir


def config_loader(folder: str | Path | None = None) -> ConfigLoader:
    """Return what loads gan-lab's YAML files, and those in ``folder`` as ``--config-dir`` does.

    Hydra's global state stays as it is, so the caller may be an application of Hydra itself. Raises
    ConfigurationError for what is no folder.
    """
    paths = create_config_search_path(str(config_dir()))
    if folder is not None:
        if not Path(folder).is_dir():
            raise refusal("config_dir", str(folder), "a folder of YAML files, such as mine")
        paths.prepend("command-line", f"file://{Path(folder).resolve()}", anchor="schema")
    setup_globals()
    register_resolvers()
    return ConfigLoaderImpl(config_search_path=paths)
