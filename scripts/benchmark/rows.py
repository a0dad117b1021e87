"""All rows: name -> function of a device and of whether to be quick, which yields lines."""

from collections.abc import Callable, Iterator

import torch

from cost import activations, machine, overhead, startup
from data import data
from players import Line
from speed import one_run, seeds, sweep

ROWS: dict[str, Callable[[torch.device, bool], Iterator[Line]]] = {
    "one_run": one_run,
    "seeds": seeds,
    "sweep": sweep,
    "overhead": overhead,
    "machine": machine,
    "startup": startup,
    "activations": activations,
    "data": data,
}
