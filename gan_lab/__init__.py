"""gan-lab: which activation function should this GAN use, answered with evidence.

In Python: `train_run` trains one run, `Study` several and reads what they say, `load` opens a trained one.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lab.api.study import Study
    from gan_lab.api.training import train_run
    from gan_lab.runs.load import TrainedRun, load
    from gan_lab.utils.errors import GanLabError

__all__ = ["GanLabError", "Study", "TrainedRun", "load", "train_run"]

_HOMES = {
    "GanLabError": "utils.errors",
    "Study": "api.study",
    "TrainedRun": "runs.load",
    "load": "runs.load",
    "train_run": "api.training",
}


def __getattr__(name: str) -> Any:
    # Lazily, so that `gan-lab --help` does not wait for torch.
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
