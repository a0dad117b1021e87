"""Activations against their formulas, and against a table of facts that was computed without them."""

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.nn.functional import elu

from gan_lab.gan import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    ResNetGenerator,
    ShiftedSoftplus,
    Snake,
)
from gan_lab.gan.activations import activation_sites
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices

INF = math.inf
NAMES = choices("activation")


def build(name: str, **keys: Any) -> nn.Module:
    node = OmegaConf.load(config_dir() / "activation" / f"{name}.yaml")
    activation = instantiate(OmegaConf.merge(node, keys), _convert_="all")
    assert isinstance(activation, nn.Module)
    return activation


# name: lower and upper end of the range, least and largest derivative
FACTS = {
    "sigmoid": (0, 1, 0, 0.25),
    "tanh": (-1, 1, 0, 1),
    "relu": (0, INF, 0, 1),
    "leaky_relu": (-INF, INF, 0.2, 1),
    "prelu": (-INF, INF, 0.25, 1),
    "elu": (-1, INF, 0, 1),
    "selu": (-1.75810, INF, 0, 1.75810),
    "celu": (-1, INF, 0, 1),
    "gelu": (-0.16997, INF, -0.12890, 1.12890),
    "silu": (-0.27846, INF, -0.09984, 1.09984),
    "mish": (-0.30884, INF, -0.11253, 1.08850),
    "softplus": (0, INF, 0, 1),
    "softsign": (-1, 1, 0, 1),
    "hardswish": (-0.375, INF, -0.5, 1.5),
    "identity": (-INF, INF, 1, 1),
    "snake": (-INF, INF, 0, 2),
    "shifted_softplus": (-1, INF, 0, 1),
}


@pytest.mark.parametrize("name", FACTS)
def test_range_and_derivative_are_the_published_ones(name: str) -> None:
    far = torch.logspace(1.5, 6, 500, dtype=torch.float64)
    x = torch.cat([-far.flip(0), torch.linspace(-30, 30, 600_001, dtype=torch.float64), far])
    x.requires_grad_(True)
    y = build(name).double()(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    low, high, flattest, steepest = FACTS[name]
    for measured, published in ((y.min(), low), (y.max(), high)):
        if math.isinf(published):
            assert math.copysign(1, measured.item()) == math.copysign(1, published)
            assert abs(measured.item()) > 1e5
        else:
            assert measured.item() == pytest.approx(published, abs=1e-5)
    assert slope.min().item() == pytest.approx(flattest, abs=1e-4)
    assert slope.max().item() == pytest.approx(steepest, abs=1e-4)


def test_parameters_of_an_entry_reach_the_function() -> None:
    x = torch.tensor([-2.0])
    torch.testing.assert_close(build("elu", alpha=0.5)(x), torch.tensor([0.5 * (math.exp(-2) - 1)]))
    torch.testing.assert_close(build("leaky_relu", negative_slope=0.01)(x), torch.tensor([-0.02]))
    torch.testing.assert_close(build("celu", alpha=2.0)(x), torch.tensor([2 * (math.exp(-1) - 1)]))
    torch.testing.assert_close(build("softplus", beta=2.0)(x), torch.tensor([math.log1p(math.exp(-4)) / 2]))
    torch.testing.assert_close(build("prelu", init=0.1)(x), torch.tensor([-0.2]))


def test_only_prelu_learns_by_default_and_instances_share_nothing() -> None:
    assert [name for name in NAMES if list(build(name).parameters())] == ["prelu"]
    first, second = build("prelu"), build("prelu")
    assert first.weight is not second.weight
    assert first.weight.tolist() == [0.25]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_every_entry_keeps_shape_and_dtype_and_leaves_its_input_alone(name: str, dtype: torch.dtype) -> None:
    activation = build(name).to(dtype)
    for shape in ((5, 7), (2, 3, 4, 4)):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
        before = x.clone()
        y = activation(x)
        assert (y.shape, y.dtype) == (x.shape, dtype)
        assert torch.equal(x, before)
        assert name == "identity" or y.data_ptr() != x.data_ptr()


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_works_element_by_element(name: str) -> None:
    activation = build(name)
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(1)) * 3
    alone = torch.stack([activation(value.view(1, 1)).squeeze() for value in x.flatten()]).view(3, 4, 5)
    torch.testing.assert_close(activation(x), alone)
    torch.testing.assert_close(vmap(activation)(x), alone)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_is_finite_forwards_and_twice_backwards(name: str) -> None:
    activation = build(name)
    x = torch.tensor([-1e4, -100.0, -3.0, -1.0, 0.0, 1e-3, 1.0, 3.0, 100.0, 1e4])

    def value(x: Tensor) -> Tensor:
        return activation(x).sum()

    assert activation(x).isfinite().all()
    assert grad(value)(x).isfinite().all()
    # Not so far out: torch.nn.Mish takes exp(x) on its second way back, and float32 ends at exp(88.7).
    penalty_gradient = grad(lambda x: grad(value)(x).square().sum())
    assert penalty_gradient(x.clamp(-80, 80)).isfinite().all()
    if name != "mish":
        assert penalty_gradient(x).isfinite().all()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 7.0])
def test_snake_is_its_formula(alpha: float) -> None:
    x = np.linspace(-5, 5, 101)
    snake = build("snake", alpha=alpha)(torch.from_numpy(x))
    torch.testing.assert_close(snake, torch.from_numpy(x + np.sin(alpha * x) ** 2 / alpha))


def test_a_trainable_snake_learns_its_frequency() -> None:
    snake = Snake(2.0, trainable=True)
    assert [p.item() for p in snake.parameters()] == [2.0]
    snake(torch.tensor(0.3)).backward()
    # d/da sin²(a x) / a = x sin(2 a x) / a - sin²(a x) / a²
    expected = 0.3 * math.sin(1.2) / 2 - math.sin(0.6) ** 2 / 4
    assert next(snake.parameters()).grad.item() == pytest.approx(expected, rel=1e-5)
    assert repr(snake) == "Snake(alpha=2, trainable=True)"


@pytest.mark.parametrize("alpha", [0, -1.0, math.nan, INF, "fast", None])
def test_snake_refuses_other_frequencies(alpha: Any) -> None:
    with pytest.raises(ConfigurationError, match="alpha must be a number above 0, got"):
        Snake(alpha)


def test_shifted_softplus_is_its_formula_with_a_sigmoid_as_derivative() -> None:
    x = torch.linspace(-9, 9, 181, dtype=torch.float64)
    f = ShiftedSoftplus()
    torch.testing.assert_close(f(x), torch.from_numpy(np.log1p(np.exp(2 * x.numpy() + 2)) / 2 - 1))
    first, second = vmap(grad(f)), vmap(grad(grad(f)))
    s = 1 / (1 + np.exp(-(2 * x.numpy() + 2)))
    torch.testing.assert_close(first(x), torch.from_numpy(s))
    torch.testing.assert_close(second(x), torch.from_numpy(2 * s * (1 - s)))
    # It stands in for ELU: the same at both ends, never far from it.
    assert (f(x) - elu(x)).abs().max() < 0.25


def test_sites_are_what_is_stored_as_activation() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.activation = nn.ELU()
            self.activation_of_output = nn.Tanh()

    block = Block()
    network = nn.Sequential(block, nn.Sequential(Block(), nn.ReLU()), nn.Tanh())
    assert [name for name, _ in activation_sites(network)] == ["0.activation", "1.0.activation"]
    assert activation_sites(network)[0][1] is block.activation
    assert activation_sites(nn.Linear(1, 1)) == []


def test_networks_have_a_fresh_activation_at_every_site() -> None:
    slope = partial(nn.PReLU)
    networks = {
        MLPGenerator(3, (1, 8, 8), slope, width=4, depth=3): 3,
        MLPDiscriminator((2,), slope, width=4, depth=2): 2,
        DCGANGenerator(3, (1, 16, 16), slope, width=2): 2,
        DCGANDiscriminator((1, 16, 16), slope, width=2): 2,
        ResNetGenerator(3, (1, 8, 8), slope, width=2): 3,
    }
    for network, number in networks.items():
        sites = activation_sites(network)
        assert len(sites) == len({id(module) for _, module in sites}) == number
        assert all(type(module) is nn.PReLU for _, module in sites)
        assert sum(isinstance(m, nn.PReLU) for m in network.modules()) == number
