"""What ``engine=auto`` and ``execution=auto`` take."""

import torch
from torch import nn

from gan_lab.training.engines.engine import EXECUTIONS, GROUPS
from gan_lab.training.engines.single import has_convolutions
from gan_lab.utils.errors import ConfigurationError


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


def choose_execution(key: str, device: torch.device, recorded: str | None = None) -> str:
    """Return the execution that ``key`` names; ``auto`` is ``recorded`` if that works here, else eager.

    Raises ConfigurationError if ``key`` names one that does not work on ``device``.
    """
    works = [name for name in EXECUTIONS if name != "cuda_graph" or device.type == "cuda"]
    if key == "auto":
        return recorded if recorded in works else "eager"
    if key not in works:
        raise ConfigurationError(f"execution={key} needs a CUDA device, and this is {device.type}")
    return key
