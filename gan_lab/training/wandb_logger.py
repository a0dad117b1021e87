"""Log to Weights & Biases, with the package of the extra ``wandb``."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from torch import Tensor

from gan_lab.config.loggers import LoggedSeed, Logger
from gan_lab.utils.checks import check_choice
from gan_lab.utils.errors import ConfigurationError

_MODES = ("online", "offline", "disabled")
_LONGEST = 128  # characters of a group or name


class WandbLogger(Logger):
    """A run of W&B for each seed, in the group of the run's folder; offline ones lie in ``./wandb``."""

    def __init__(self, project: str = "gan-lab", entity: str | None = None, mode: str | None = None) -> None:
        if find_spec("wandb") is None:
            raise ConfigurationError("it needs what the extra 'wandb' installs: pip install 'gan-lab[wandb]'")
        if mode is not None:
            check_choice("logger.wandb.mode", mode, _MODES)
        self._options: dict[str, Any] = {"project": project, "entity": entity, "mode": mode}
        self._run: Any = None

    def begin(self, seed: LoggedSeed) -> str | None:
        import wandb

        self._run = wandb.init(
            **self._options,
            id=seed.id,
            resume="allow" if seed.id else None,
            group=seed.run[:_LONGEST],
            name=f"{seed.run[: _LONGEST - 15]} seed {seed.seed}",
            tags=[seed.study[:64]],
            config={**seed.config, "seed": seed.seed},
            reinit="create_new",  # beside the runs of other seeds, and the caller's own
            settings=wandb.Settings(console="off", quiet=True),  # gan-lab has the terminal
        )
        return str(self._run.id)

    def log_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        self._run.log(dict(scalars), step=step)

    def log_image(self, step: int, name: str, image: Tensor) -> None:
        import wandb

        self._run.log({name: wandb.Image(image.permute(1, 2, 0).numpy())}, step=step)

    def end(self, successful: bool) -> None:
        if self._run is not None:
            self._run.finish(exit_code=0 if successful else 1)
