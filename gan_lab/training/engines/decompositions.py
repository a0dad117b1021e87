"""Operations that compiled turns compute by other formulas on a CPU, with the same numbers to rounding.

PyTorch's vectorized expm1 takes ten times as long as its exp (8.9 and 0.9 ns a number on one thread of an AMD
EPYC, torch 2.14), and ELU, SELU and CELU compute it for every number.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._decomp import get_decompositions

_NEAR = 0.5  # below it, in size, exp(x) - 1 would cancel
_TERMS = 8  # of the series there: the next one is 1e-8 of the sum, less than float32 can tell


def expm1(x: Tensor) -> Tensor:
    """Compute exp(x) - 1 in float32, to two units in the last place."""
    series = torch.full_like(x, 1 / math.factorial(_TERMS))
    for k in reversed(range(1, _TERMS)):
        series = series * x + 1 / math.factorial(k)
    return torch.where(x.abs() < _NEAR, series * x, torch.exp(x) - 1)


def _expm1(x: Tensor) -> Any:
    return expm1(x) if x.dtype == torch.float32 else NotImplemented  # which leaves it to PyTorch


def decompositions(device: torch.device) -> dict[Any, Callable[..., Any]]:
    """Return the table for `make_fx`: operation -> what it is computed by."""
    if device.type != "cpu":
        return {}
    aten = torch.ops.aten
    return {**get_decompositions([aten.elu.default, aten.celu.default]), aten.expm1.default: _expm1}
