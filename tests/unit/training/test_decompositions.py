"""Other formulas than PyTorch's: the same numbers to rounding, for all numbers."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad
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


CONVOLUTIONS = [
    (nn.Conv2d(1, 8, 4, 2, 1), (16, 16)),
    (nn.Conv2d(3, 8, 4, 3, 1, bias=False), (16, 16)),  # the last row and column are seen by no place
    (nn.Conv2d(3, 8, (3, 5), (1, 2), (0, 2)), (11, 12)),
    (nn.ConvTranspose2d(8, 1, 4, 2, 1), (8, 8)),
    (nn.ConvTranspose2d(8, 3, (3, 5), (1, 2), (0, 2), bias=False), (6, 7)),
]
OTHERS = [
    (nn.Conv2d(8, 1, 4), (8, 8)),
    (nn.Conv2d(8, 8, 3, groups=8), (8, 8)),
    (nn.Conv2d(1, 8, 3, dilation=2), (8, 8)),
    (nn.ConvTranspose2d(8, 1, 3, 2, output_padding=1), (8, 8)),
]


def gradients(module: nn.Module, x: Tensor) -> tuple[Callable[..., list[Tensor]], list[Tensor]]:
    """A function of input and parameters that computes their gradients and the output, and its inputs."""
    names = [name for name, _ in module.named_parameters()]

    def loss(x: Tensor, *params: Tensor) -> tuple[Tensor, Tensor]:
        out: Tensor = functional_call(module, dict(zip(names, params, strict=True)), (x,))
        return (out.sin() * torch.linspace(0, 1, out.numel()).view(out.shape)).sum(), out

    def compute(*inputs: Tensor) -> list[Tensor]:
        found, out = grad(loss, argnums=tuple(range(len(inputs))), has_aux=True)(*inputs)
        return [*found, out]

    return compute, [x, *(param.detach() for param in module.parameters())]


def traced_and_compared(module: nn.Module, size: tuple[int, int], memory_format: torch.memory_format) -> str:
    x = torch.randn(5, next(module.parameters()).shape[0 if "Transpose" in repr(module) else 1], *size)
    if getattr(module, "groups", 1) > 1:
        x = torch.randn(5, 8, *size)
    compute, inputs = gradients(module, x.to(memory_format=memory_format))
    trace = make_fx(compute, decomposition_table=decompositions(CPU), tracing_mode="fake")
    traced = trace(*inputs)
    assert_close(traced(*inputs), compute(*inputs), rtol=1e-4, atol=1e-5)
    return str(traced.code)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last], ids=str)
@pytest.mark.parametrize(("module", "size"), CONVOLUTIONS, ids=repr)
def test_convolutions_of_images_are_products_with_the_same_numbers(
    module: nn.Module, size: tuple[int, int], memory_format: torch.memory_format
) -> None:
    code = traced_and_compared(module, size, memory_format)
    assert "aten.convolution" not in code
    assert "aten.mm" in code


@pytest.mark.parametrize(("module", "size"), OTHERS, ids=repr)
def test_other_convolutions_stay(module: nn.Module, size: tuple[int, int]) -> None:
    assert "aten.convolution" in traced_and_compared(module, size, torch.contiguous_format)


def test_gpus_compute_as_pytorch_has_them_do() -> None:
    assert decompositions(torch.device("cuda")) == {}
