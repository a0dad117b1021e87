"""A study as Python code trains it."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra import compose, initialize_config_dir

from gan_lab.config.aliases import resolve_aliases
from gan_lab.config.errors import config_errors
from gan_lab.config.overrides import keep_text
from gan_lab.utils.paths import config_dir

if TYPE_CHECKING:
    from gan_lab.runs.load import TrainedRun

_log = logging.getLogger(__name__)


class Study:
    """Runs that belong together, in ``outputs/<name>``; None leaves the name to the configuration."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def train(self, overrides: Sequence[str] = ()) -> "TrainedRun":
        """Train one run as ``gan-lab train <overrides>`` does and return it.

        A finished run is returned as it is, an interrupted one is resumed. Raises `GanLabError` for what the
        command line would refuse, and `RunFailedError` if the run fails.
        """
        from gan_lab.config.trust import target_modules
        from gan_lab.runs.existing import watched_note
        from gan_lab.runs.load import load
        from gan_lab.runs.naming import task_config
        from gan_lab.train import train

        study = [] if self.name is None else [f"study={self.name}"]
        with config_errors():
            with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
                composed = compose(
                    "train",
                    overrides=keep_text(resolve_aliases([*study, *overrides])),
                    return_hydra_config=True,
                )
            folder = Path(composed.hydra.run.dir)
        cfg = task_config(composed)
        train(cfg, folder, composed.hydra)
        trained = load(folder, target_modules(cfg))
        if note := watched_note(cfg, trained.run):
            _log.warning(note)
        return trained
