"""What ``engine=auto`` and ``execution=auto`` take."""

import shutil
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from gan_lab.training.engines.base import EngineConfig
from gan_lab.training.engines.compiled import cpp_compiler
from gan_lab.training.engines.engine import EXECUTIONS, GROUPS
from gan_lab.training.engines.single import has_convolutions
from gan_lab.utils.errors import ConfigurationError

# Measured with torch 2.14 on two threads of an AMD EPYC (no AMX), nothing else running: a step of the ring's
# MLPs, which are 14 layers and two turns, took 3.3 ms compiled and 6.0 to 6.6 eager with 8 seeds, 13.2 and
# 20.8 with 32; compiling took 26.4 s with an empty cache. Both are rounded to the safe side.
SAVED_MS = 0.1  # per layer and turn
COMPILING_S = 30.0
MARGIN = 3  # whoever waits for a short run does not wait for a compiler
FEWEST_SEEDS = 8  # fewer have not been measured


def choose_engine(
    key: str, template: nn.Module, device: torch.device, num_seeds: int, recorded: str | None = None
) -> str:
    """Return the engine that ``key`` names; ``auto`` is ``recorded``, or else the fastest for these networks.

    One seed needs no lifting. On a CPU a convolution keeps the cores busy by itself, and vmap turns it into a
    slower grouped one. Everywhere else vmap does in one kernel what S small ones did.
    recorded: what a run that is resumed chose at its first step.
    """
    if key != "auto":
        return key
    if recorded in GROUPS:
        return recorded
    busy = device.type == "cpu" and has_convolutions(template)
    return "sequential" if num_seeds == 1 or busy else "vmap"


@dataclass(frozen=True)
class Work:
    """What a run that begins has to do; turns: optimizer steps of both networks together."""

    template: nn.Module
    engine: str
    precision: torch.dtype
    num_seeds: int
    turns: int
    draws: bool = False


def choose_execution(
    key: str, device: torch.device, recorded: str | None = None, work: Work | None = None
) -> str:
    """Return the execution that ``key`` names; ``auto`` is ``recorded`` if that works here.

    Otherwise ``auto`` is eager, or compiled on a CPU where that repays. It is a rule and never a timing, so
    that a run comes to the same bits whenever it is begun; on CUDA a `gan_lab.training.engines.trial` of
    `choices_on_trial` may follow.
    recorded: what a run that is resumed chose at its first step; work: of a run that begins.

    Raises ConfigurationError if ``key`` names one that does not work on ``device``.
    """
    works = [name for name in EXECUTIONS if name != "cuda_graph" or device.type == "cuda"]
    if key == "auto":
        if recorded is None and device.type == "cpu" and work is not None and compiling_repays(work):
            return "compiled"
        return recorded if recorded in works else "eager"
    if key not in works:
        raise ConfigurationError(f"execution={key} needs a CUDA device, and this is {device.type}")
    return key


class Choice(NamedTuple):
    """One way to take steps."""

    engine: str
    execution: str

    def __str__(self) -> str:
        return f"engine={self.engine} execution={self.execution}"


def choices_on_trial(config: EngineConfig, engine: str, execution: str) -> list[Choice]:
    """Return what is compared for these keys; config: what the rule takes, stacked wherever that is possible.

    Steps in which networks draw random numbers are not captured: each replay would have the same ones.
    """
    if execution == "compiled":  # twice, to take one of them: a run would wait for that
        return []
    engines = ["vmap", "sequential"] if engine == "auto" and config.engine == "vmap" else [config.engine]
    captured = execution == "auto" and not config.draws
    executions = ["cuda_graph", "eager"] if captured else [config.execution]
    return [Choice(one, other) for one in engines for other in executions]


def compiling_repays(work: Work) -> bool:
    """Whether compiled steps on a CPU save the time of compiling them several times over.

    They save what lies between the operations, which grows with the number of layers, and less than in
    proportion with that of seeds. Among convolutions it would repay after 40,000 steps (DCGAN 16x16: 10 ms
    eager, 7.6 compiled; but with ELU, whose eager operation is slow here, 24 and 9 on one thread).
    """
    if work.engine != "vmap" or work.num_seeds < FEWEST_SEEDS or work.precision != torch.float32:
        return False
    if has_convolutions(work.template) or work.draws or shutil.which(cpp_compiler()) is None:
        return False
    leaves = [module for module in work.template.modules() if not any(module.children())]
    layers = sum(not isinstance(leaf, nn.Identity) for leaf in leaves)
    return SAVED_MS * layers * work.turns / 1e3 >= MARGIN * COMPILING_S
