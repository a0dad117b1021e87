"""One run, from its first step to its last.

The names below are public: configuration files name them as ``_target_``, or a user's own loggers are made
with them, so they stay, wherever the code behind them moves.
"""

from typing import TYPE_CHECKING

from gan_lab.utils.lazy import lazy_names

if TYPE_CHECKING:
    from gan_lab.config.loggers import LoggedSeed, Logger
    from gan_lab.training.wandb_logger import WandbLogger

__all__ = ["LoggedSeed", "Logger", "WandbLogger"]

# Lazily: a finished run is summarized without torch.
__getattr__, __dir__ = lazy_names(
    __name__,
    {"LoggedSeed": "loggers", "Logger": "loggers", "WandbLogger": "wandb_logger"},
)
