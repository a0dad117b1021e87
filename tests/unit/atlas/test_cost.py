"""What an activation costs, against what ReLU does."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gan_lab.atlas import cost as atlas_cost
from gan_lab.atlas.choices import ActivationQuery, build_spec
from gan_lab.atlas.cost import measure
from tests.helpers.experiments import choices

CPU = torch.device("cpu")


class Custom(nn.Module):
    def __init__(self, f: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(x)


class OnceDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * (x > 0)


@pytest.mark.parametrize("name", choices("activation"))
def test_every_cost_is_measured(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlas_cost, "ROUNDS", 3)
    cost = measure(build_spec(ActivationQuery(name), None).module, CPU)
    assert cost.note == ""
    for value in (cost.forward, cost.backward, cost.double_backward):
        assert value is not None
        assert 0 < value < 1000


def test_relu_costs_as_much_as_relu() -> None:
    cost = measure(nn.ReLU(), CPU)
    assert cost.memory == 1
    for value in (cost.forward, cost.backward, cost.double_backward):
        assert value is not None
        assert 0.5 < value < 2


def test_time_is_that_of_the_work() -> None:
    forty = nn.Sequential(*[nn.ReLU() for _ in range(40)])  # ten: 4.3 times ReLU's backward pass when quiet
    cost = measure(forty, CPU)
    for value in (cost.forward, cost.backward, cost.double_backward):
        assert value is not None
        assert value > 8  # No upper end: a busy machine interrupts what takes longer.


@pytest.mark.parametrize(
    ("module", "tensors"),
    [
        (nn.Tanh(), 1),  # The output, which is all that its derivative needs.
        (nn.Identity(), 1),
        (nn.GELU(), 2),  # Input and output.
        (nn.PReLU(), 2),
        (Custom(lambda x: x.exp().exp()), 2),
        (Custom(lambda x: x.sin().sin().sin()), 4),
        (nn.Sequential(nn.ReLU(), nn.ReLU()), 2),
    ],
)
def test_memory_counts_what_has_to_stay(module: nn.Module, tensors: int) -> None:
    assert measure(module, CPU).memory == pytest.approx(tensors, rel=1e-4)


def test_what_autograd_cannot_do_is_left_out() -> None:
    once = measure(Custom(OnceDifferentiable.apply), CPU)
    assert once.backward is not None
    assert once.double_backward is None
    assert once.note == "autograd has no double backward"
    never = measure(Custom(lambda x: (x > 0).float()), CPU)
    assert never.forward is not None
    assert never.backward is None
    assert never.note == "autograd has no backward and double backward"
    failing = measure(nn.PReLU(3), CPU)
    assert failing.forward is None
    assert "cost not measured: RuntimeError" in failing.note
