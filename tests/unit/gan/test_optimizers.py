"""Every optimizer entry makes a factory, and its steps are those of the formula."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn
from torch.optim import Optimizer

from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices

NAMES = choices("optimizer")
Factory = Callable[[Iterable[nn.Parameter]], Optimizer]


def build(name: str, **keys: Any) -> Factory:
    node = OmegaConf.load(config_dir() / "optimizer" / f"{name}.yaml")
    factory: Factory = instantiate(OmegaConf.merge(node, keys), _convert_="all")
    return factory


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_steps_downhill(name: str) -> None:
    """On a bowl with its lowest point at 0, at a rate that shows."""
    point = nn.Parameter(torch.tensor([1.0, -2.0]))
    optimizer = build(name, lr=0.01)([point])
    heights = []
    for _ in range(20):
        optimizer.zero_grad()
        height = point.square().sum()
        height.backward()
        optimizer.step()
        heights.append(height.item())
    assert heights == sorted(heights, reverse=True)
    assert heights[-1] < heights[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_has_a_rate_in_the_range_of_gans_and_takes_another(name: str) -> None:
    parameters = [nn.Parameter(torch.ones(3))]
    assert 1e-5 <= build(name)(parameters).defaults["lr"] <= 1e-1
    assert build(name, lr=0.5)(parameters).defaults["lr"] == 0.5


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_steps_stacked_parameters_as_each_alone(name: str) -> None:
    """Seeds are a batch dimension: what is not elementwise cannot be an entry here."""
    stream = torch.Generator().manual_seed(0)
    start, pulls = torch.randn(3, 4, 5, generator=stream), torch.randn(3, 3, 4, 5, generator=stream)

    def stepped(value: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
        parameter = nn.Parameter(value.clone())
        optimizer = build(name)([parameter])
        for gradient in gradients:
            parameter.grad = gradient.clone()
            optimizer.step()
        return parameter.detach()

    alone = torch.stack([stepped(start[k], pulls[:, k]) for k in range(3)])
    torch.testing.assert_close(stepped(start, pulls), alone)


@pytest.mark.parametrize("name", NAMES)
def test_entries_are_fused_where_torch_can(name: str) -> None:
    parameter = nn.Parameter(torch.ones(3))
    optimizer = build(name)([parameter])
    assert optimizer.defaults.get("fused", False) == (name != "rmsprop")


def test_first_steps_are_the_formulas() -> None:
    """After one step from 1 with gradient g."""
    g = 0.3
    expected = {
        "adam": 1 - 2e-4 * g / (g + 1e-8),
        "adamw": 1 - 2e-4 * 1e-2 - 2e-4 * g / (g + 1e-8),
        "rmsprop": 1 - 5e-5 * g / ((0.01 * g**2) ** 0.5 + 1e-8),
        "sgd": 1 - 1e-2 * g,
    }
    for name, value in expected.items():
        parameter = nn.Parameter(torch.ones(1, dtype=torch.float64))
        parameter.grad = torch.full((1,), g, dtype=torch.float64)
        build(name)([parameter]).step()
        assert parameter.item() == pytest.approx(value, rel=1e-9)


def test_adam_has_the_betas_of_dcgan() -> None:
    for name in ("adam", "adamw"):
        betas = build(name)([nn.Parameter(torch.ones(1))]).defaults["betas"]
        assert tuple(betas) == (0.5, 0.999)
