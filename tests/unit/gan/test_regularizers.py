"""Penalties against closed forms on linear and quadratic discriminators, and against autograd."""

import math
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from gan_lab.config.build import build_or_default
from gan_lab.gan.regularizers import R1, R1R2, GradientPenalty, NoPenalty, Regularizer
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices

NAMES = choices("regularizer")


def build(name: str) -> Regularizer:
    """Make an entry, as a run does: an empty one is no penalty."""
    cfg = OmegaConf.create({"regularizer": OmegaConf.load(config_dir() / "regularizer" / f"{name}.yaml")})
    regularizer: Regularizer = build_or_default(cfg, "regularizer", NoPenalty())
    return regularizer


class Linear(nn.Module):
    """D(x) = w·x, whose gradient is w everywhere."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1) @ self.w


class Quadratic(nn.Module):
    """D(x) = a ||x||² / 2, whose gradient is a x."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return self.a / 2 * x.flatten(1).square().sum(1)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0)).double()


def data(seed: int = 0, shape: tuple[int, ...] = (3, 2, 2)) -> tuple[Tensor, Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(2, 6, *shape, generator=stream, dtype=torch.float64)
    return real, fake, torch.rand(6, 1, generator=stream, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(12,), (3, 2, 2)])
def test_closed_forms_and_their_gradients_on_a_linear_discriminator(shape: tuple[int, ...]) -> None:
    w = torch.linspace(-1, 2, 12, dtype=torch.float64)
    norm = w.norm()
    cases: list[tuple[Regularizer, Tensor, Tensor]] = [
        (GradientPenalty(), 10 * (norm - 1) ** 2, 20 * (norm - 1) * w / norm),
        (GradientPenalty(weight=3.0), 3 * (norm - 1) ** 2, 6 * (norm - 1) * w / norm),
        (R1(gamma=0.7), 0.35 * norm**2, 0.7 * w),
        (R1R2(gamma=0.7), 0.7 * norm**2, 1.4 * w),
    ]
    for regularizer, value, gradient in cases:
        discriminator = Linear(w.clone())
        penalty = regularizer(discriminator, *data(shape=shape))
        assert penalty.shape == ()
        torch.testing.assert_close(penalty, value)
        penalty.backward()
        torch.testing.assert_close(discriminator.w.grad, gradient)


def test_each_looks_where_its_paper_says() -> None:
    a, (real, fake, u) = 1.3, data()
    squares = [x.flatten(1).square().sum(1) for x in (real, fake)]
    assert_close = torch.testing.assert_close
    assert_close(R1(gamma=2.0)(Quadratic(a), real, fake, u), a**2 * squares[0].mean())
    assert_close(R1R2(gamma=2.0)(Quadratic(a), real, fake, u), a**2 * (squares[0].mean() + squares[1].mean()))
    between = torch.stack([t * r + (1 - t) * f for t, r, f in zip(u[:, 0], real, fake, strict=True)])
    norms = a * between.flatten(1).norm(dim=1)
    assert_close(GradientPenalty()(Quadratic(a), real, fake, u), 10 * ((norms - 1) ** 2).mean())


def test_double_backward_through_a_network_is_autograds() -> None:
    real, fake, u = data()

    def reference(discriminator: nn.Module, x: Tensor) -> Tensor:
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return g.square().sum((1, 2, 3))

    v = u.view(-1, 1, 1, 1)
    expected = {
        R1(5.0): lambda d: 2.5 * reference(d, real).mean(),
        R1R2(5.0): lambda d: 2.5 * (reference(d, real).mean() + reference(d, fake).mean()),
        GradientPenalty(): lambda d: (
            10 * (reference(d, v * real + (1 - v) * fake).sqrt() - 1).square().mean()
        ),
    }
    for regularizer, formula in expected.items():
        ours, theirs = network(), network()
        regularizer(ours, real, fake, u).backward()
        formula(theirs).backward()
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            if name == "3.bias":  # The last bias moves no gradient in the data.
                assert a.grad is None or not a.grad.any()
                continue
            assert b.grad is not None
            assert b.grad.any()
            torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("name", NAMES)
def test_many_seeds_at_once_are_each_alone(name: str) -> None:
    regularizer = build(name)
    networks = [network(seed) for seed in range(3)]
    samples = [torch.stack(x) for x in zip(*(data(seed) for seed in range(3)), strict=True)]
    alone = [regularizer(net, *data(seed)) for seed, net in enumerate(networks)]
    template = network()
    parameters, _ = stack_module_state(networks)

    class Bound(nn.Module):
        def __init__(self, parameters: dict[str, Tensor]) -> None:
            super().__init__()
            self.state = parameters

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = functional_call(template, self.state, (x,))
            return out

    together = vmap(lambda p, r, f, u: regularizer(Bound(p), r, f, u))(parameters, *samples)
    torch.testing.assert_close(together, torch.stack(alone), check_dtype=False)
    if together.requires_grad:
        together.sum().backward()
        for seed, net in enumerate(networks):
            alone[seed].backward()
            for key, parameter in net.named_parameters():
                if parameter.grad is not None:
                    found = parameters[key].grad
                    assert found is not None
                    torch.testing.assert_close(found[seed], parameter.grad)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_says_how_many_draws_it_needs(name: str) -> None:
    regularizer = build(name)
    real, fake, _ = data()
    u = torch.rand(6, regularizer.num_rand, dtype=torch.float64)
    assert regularizer(network(), real, fake, u).item() >= 0
    assert regularizer.num_rand == (1 if name == "gradient_penalty" else 0)


def test_no_penalty_is_zero_and_a_weight_of_zero_too() -> None:
    for regularizer in (NoPenalty(), GradientPenalty(0), R1(0), R1R2(0.0)):
        assert regularizer(network(), *data()).item() == 0


def test_a_dead_discriminator_gets_a_finite_gradient() -> None:
    """The derivative of a norm at zero is undefined: it must not become NaN in the weights."""
    discriminator = Linear(torch.zeros(12, dtype=torch.float64))
    penalty = GradientPenalty()(discriminator, *data())
    assert penalty.item() == pytest.approx(10, rel=1e-4)
    penalty.backward()
    assert discriminator.w.grad is not None
    assert discriminator.w.grad.isfinite().all()


def test_a_relu_discriminator_is_penalized_too() -> None:
    torch.manual_seed(0)
    relu = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 1), nn.Flatten(0)).double()
    R1(1.0)(relu, *data()).backward()
    for index in (1, 3):
        weight = relu[index].weight
        assert weight.grad is not None
        assert weight.grad.any()


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf, "much", None])
def test_other_weights_are_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="weight must be a number of at least 0, got"):
        GradientPenalty(value)
    for kind in (R1, R1R2):
        with pytest.raises(ConfigurationError, match="gamma must be a number of at least 0, got"):
            kind(value)
