"""The seam between one seed and many: an engine takes the same steps for all seeds of a run.

An `Engine` holds its seeds in groups: ``sequential`` has one `SingleSeed` per seed, with plain modules and
the plain training step; ``vmap`` has all seeds in one `VmappedSeeds`, or as many as fit into memory. How a
group's step is executed is another choice: ``eager`` calls it, ``compiled`` has PyTorch compile it,
``cuda_graph`` replays it. All give the same numbers to rounding, and take and return the same `TrainState`s:
nothing else knows which one runs.
"""

from gan_lab.training.engines.base import EngineConfig
from gan_lab.training.engines.choice import Work, choose_engine, choose_execution
from gan_lab.training.engines.engine import Engine
from gan_lab.training.engines.optimizers import Clipping, Schedule
from gan_lab.training.engines.state import TrainState

__all__ = [
    "Clipping",
    "Engine",
    "EngineConfig",
    "Schedule",
    "TrainState",
    "Work",
    "choose_engine",
    "choose_execution",
]
