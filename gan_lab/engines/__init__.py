"""The seam between one seed and many: engines play the same turns for all seeds of a run.

An engine owns the networks, optimizers and averaged generators of its seeds, and plays one turn for all of
them on tensors with a leading dimension S. `SideBySide` gives each seed its own modules and plays them in
turn; with one seed that is the plain training step. `Stacked` keeps one module and stacks everybody's
parameters, so that every kernel works for all seeds (`torch.func.vmap`). Both give the same numbers to
rounding, and both are built from, and return, the same `Member`s: nothing else knows which one runs.
"""

import logging
from collections.abc import Callable, Sequence
from functools import partial

from gan_lab.engines.base import PLAYERS, Engine, Member, Pair, Setup
from gan_lab.engines.captured import Captured
from gan_lab.engines.groups import Groups
from gan_lab.engines.side_by_side import SideBySide
from gan_lab.engines.stacked import Stacked
from gan_lab.engines.state import has_convolutions
from gan_lab.errors import ConfigurationError

__all__ = [
    "PLAYERS",
    "Captured",
    "Engine",
    "Groups",
    "Member",
    "Pair",
    "Setup",
    "SideBySide",
    "Stacked",
    "choose",
]

_log = logging.getLogger(__name__)


def choose(name: str, setup: Setup, members: Sequence[Member], at_once: int | None = None) -> Engine:
    """The engine called ``name``; ``auto`` takes the fastest for these networks on this device.

    Rule of ``auto``: one seed needs no lifting. On a CPU a convolution already fills the cores, and stacking
    turns it into a slower grouped one. Everywhere else a stack does in one kernel what S small ones did.
    ``captured`` is what auto would take, its turns as CUDA graphs. Where only ``at_once`` seeds fit into
    memory, a stack is split into groups.
    """
    if name not in ENGINES:
        raise ConfigurationError(f"engine must be one of {', '.join(ENGINES)}, got {name!r}")
    kind = ENGINES[name]
    if kind is None:
        crowded = setup.device.type == "cpu" and has_convolutions(setup.template)
        kind = SideBySide if len(members) == 1 or crowded else Stacked
    make: Callable[[Setup, Sequence[Member]], Engine] = kind
    if kind is Stacked and at_once is not None and at_once < len(members):
        _log.warning(
            "%d seeds do not fit into memory at once: they are played in groups of %d", len(members), at_once
        )
        make = partial(Groups, kind=kind, size=at_once)
    return Captured(setup, members, make) if name == "captured" else make(setup, members)


ENGINES: dict[str, type[Engine] | None] = {
    "auto": None,
    "stacked": Stacked,
    "side_by_side": SideBySide,
    "captured": None,
}
