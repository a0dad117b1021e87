"""gan-lab: which activation function should this GAN use, answered with evidence.

In Python: `train_run` trains one run, `Study` several and reads what they say, `load` opens a trained one.
"""

from typing import TYPE_CHECKING

from gan_lab.utils.lazy import lazy_names

if TYPE_CHECKING:
    from gan_lab.api.study import Study
    from gan_lab.api.training import train_run
    from gan_lab.runs.load import TrainedRun, load
    from gan_lab.utils.errors import GanLabError

__all__ = ["GanLabError", "Study", "TrainedRun", "load", "train_run"]

# Lazily, so that `gan-lab --help` does not wait for torch.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "GanLabError": "utils.errors",
        "Study": "api.study",
        "TrainedRun": "runs.load",
        "load": "runs.load",
        "train_run": "api.training",
    },
)
