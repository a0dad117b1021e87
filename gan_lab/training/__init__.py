"""One run, from its first step to its last.

The names below are public: configuration files name them as ``_target_``, or a user's own loggers are made
with them, so they stay, wherever the code behind them moves.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lab.training.loggers import LoggedSeed, Logger
    from gan_lab.training.wandb_logger import WandbLogger

__all__ = ["LoggedSeed", "Logger", "WandbLogger"]

_MODULES = {"LoggedSeed": "loggers", "Logger": "loggers", "WandbLogger": "wandb_logger"}


def __getattr__(name: str) -> Any:
    # Lazily: a finished run is summarized without torch.
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
