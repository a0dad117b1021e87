"""The seam between one seed and many: engines play the same turns for all seeds of a run.

An engine owns the networks, optimizers and averaged generators of its seeds, and plays one turn for all of
them on tensors with a leading dimension S. `SequentialEngine` gives each seed its own modules and plays them
in turn; with one seed that is the plain training step. `VmapEngine` keeps one module and stacks everybody's
parameters, so that every kernel works for all seeds (`torch.func.vmap`). Both give the same numbers to
rounding, and both are built from, and return, the same `TrainState`s: nothing else knows which one runs.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from gan_lab.gan.steps import GAN, PLAYERS
from gan_lab.training.engines.base import Engine, EngineConfig, TrainState
from gan_lab.training.engines.chunked import ChunkedEngine
from gan_lab.training.engines.cuda_graph import CudaGraphEngine
from gan_lab.training.engines.sequential import SequentialEngine
from gan_lab.training.engines.state import has_convolutions
from gan_lab.training.engines.vmapped import VmapEngine
from gan_lab.utils.errors import ConfigurationError

__all__ = [
    "GAN",
    "PLAYERS",
    "ChunkedEngine",
    "CudaGraphEngine",
    "Engine",
    "EngineConfig",
    "SequentialEngine",
    "TrainState",
    "VmapEngine",
    "choose",
]

_log = logging.getLogger(__name__)


def choose(
    name: str, setup: EngineConfig, members: Sequence[TrainState], max_concurrent_seeds: int | None = None
) -> Engine:
    """The engine called ``name``; ``auto`` takes the fastest for these networks on this device.

    Rule of ``auto``: one seed needs no lifting. On a CPU a convolution already fills the cores, and stacking
    turns it into a slower grouped one. Everywhere else a stack does in one kernel what S small ones did.
    ``captured`` is what auto would take, its turns as CUDA graphs. If only ``max_concurrent_seeds`` fit
    into memory, a stack is split into groups.
    """
    if name not in ENGINES:
        raise ConfigurationError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    kind = ENGINES[name]
    if kind is None:
        crowded = setup.device.type == "cpu" and has_convolutions(setup.template)
        kind = SequentialEngine if len(members) == 1 or crowded else VmapEngine
    make: Callable[[EngineConfig, Sequence[TrainState]], Engine] = kind
    if kind is VmapEngine and max_concurrent_seeds is not None and max_concurrent_seeds < len(members):
        _log.warning(
            "%d seeds do not fit into memory at once: they are played in groups of %d",
            len(members),
            max_concurrent_seeds,
        )
        make = partial(ChunkedEngine, kind=kind, size=max_concurrent_seeds)
    return CudaGraphEngine(setup, members, make) if name == "captured" else make(setup, members)


ENGINES: dict[str, type[Engine] | None] = {
    "auto": None,
    "stacked": VmapEngine,
    "side_by_side": SequentialEngine,
    "captured": None,
}
