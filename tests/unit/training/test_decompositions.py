"""Other formulas than PyTorch's: the same numbers to rounding, for all numbers."""

import math

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.testing import assert_close

from gan_lab.training.engines.decompositions import decompositions, expm1

CPU = torch.device("cpu")


def test_expm1_is_within_two_units_in_the_last_place_of_the_exact_value() -> None:
    small = torch.logspace(-37, 0, 2001)
    x = torch.cat([torch.linspace(-90, 88, 100_001), torch.linspace(-1, 1, 100_001), small, -small])
    exact = torch.expm1(x.double())
    assert (expm1(x).double() - exact).abs().le(2 * torch.finfo(x.dtype).eps * exact.abs()).all()


def test_expm1_of_what_is_not_finite_and_of_zero() -> None:
    values = expm1(torch.tensor([math.inf, -math.inf, math.nan, 0.0]))
    assert_close(values, torch.tensor([math.inf, -1.0, math.nan, 0.0]), rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("module", [nn.ELU(), nn.ELU(0.3), nn.SELU(), nn.CELU(0.7)], ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_activations_are_traced_without_it_and_compute_the_same(
    module: nn.Module, dtype: torch.dtype
) -> None:
    x = torch.linspace(-20, 20, 4001, dtype=dtype)
    traced = make_fx(module, decomposition_table=decompositions(CPU), tracing_mode="fake")(x)
    assert ("expm1" in traced.code) == (dtype == torch.float64)
    assert_close(traced(x), module(x))


def test_gpus_compute_as_pytorch_has_them_do() -> None:
    assert decompositions(torch.device("cuda")) == {}
