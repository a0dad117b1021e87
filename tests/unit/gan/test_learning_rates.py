"""Schedules are those of torch, as functions of the step."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LambdaLR, LinearLR, SequentialLR

from gan_lab.gan import CosineDecay, ExponentialDecay, LinearDecay, WarmUp
from gan_lab.utils.checks import check_number
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices

LENGTH = 40


def rates_of_torch(make: Callable[[Optimizer], Any], steps: int) -> list[float]:
    """The rates of steps with a base rate of 1."""
    optimizer = SGD([nn.Parameter(torch.ones(1))], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def after(start: int, make: Callable[[Optimizer], Any]) -> Callable[[Optimizer], Any]:
    """A scheduler of torch that begins after so many steps at the full rate."""
    return lambda optimizer: SequentialLR(
        optimizer, [LambdaLR(optimizer, lambda _: 1.0), make(optimizer)], [start]
    )


@pytest.mark.parametrize(
    ("schedule", "steps", "make"),
    [
        (LinearDecay(LENGTH, 0.0), 2 * LENGTH, lambda o: LinearLR(o, 1.0, 0.0, LENGTH)),
        (LinearDecay(LENGTH, 0.25), 2 * LENGTH, lambda o: LinearLR(o, 1.0, 0.25, LENGTH)),
        # As in CycleGAN: constant, then falling. torch's cosine rises again, and its exponential has no end.
        (LinearDecay(LENGTH, 0.1, 9), 2 * LENGTH, after(9, lambda o: LinearLR(o, 1.0, 0.1, LENGTH))),
        (CosineDecay(LENGTH, 0.0), LENGTH + 1, lambda o: CosineAnnealingLR(o, LENGTH)),
        (CosineDecay(LENGTH, 0.2), LENGTH + 1, lambda o: CosineAnnealingLR(o, LENGTH, 0.2)),
        (ExponentialDecay(LENGTH, 0.01), LENGTH + 1, lambda o: ExponentialLR(o, 0.01 ** (1 / LENGTH))),
        (WarmUp(LENGTH, 0.01), 2 * LENGTH, lambda o: LinearLR(o, 0.01, 1.0, LENGTH)),
    ],
)
def test_rates_are_those_of_torch(
    schedule: Callable[[int], float], steps: int, make: Callable[[Optimizer], Any]
) -> None:
    assert [schedule(step) for step in range(steps)] == pytest.approx(
        rates_of_torch(make, steps), rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize(
    "schedule", [LinearDecay(5, 0.5, 3), CosineDecay(5, 0.5, 3), ExponentialDecay(5, 0.5, 3)]
)
def test_a_decay_is_whole_before_it_and_stays_at_its_end(schedule: Callable[[int], float]) -> None:
    assert [schedule(step) for step in (0, 3)] == [1.0, 1.0]
    assert schedule(4) < 1
    assert [schedule(step) for step in (8, 9, 10**9)] == [0.5] * 3


@pytest.mark.parametrize("name", [name for name in choices("schedule") if name != "none"])
def test_every_entry_has_a_length_and_factors_of_at_most_1(name: str) -> None:
    node = OmegaConf.merge({"steps": 100}, {"entry": OmegaConf.load(config_dir() / f"schedule/{name}.yaml")})
    schedule = instantiate(node.entry)
    assert all(0 <= check_number(name, schedule(step)) <= 1 for step in (0, 1, 50, 99, 100, 10**6))
    with pytest.raises(Exception, match="length must be a whole number of at least 1, got 0"):
        instantiate(node.entry, length=0)


def test_what_no_schedule_can_be_is_refused() -> None:
    for make in (
        lambda: LinearDecay(5, -0.1),
        lambda: ExponentialDecay(5, 0.0),
        lambda: CosineDecay(5, 0.1, start=-1),
        lambda: WarmUp(5, float("nan")),
    ):
        with pytest.raises(ConfigurationError, match=" must be a "):
            make()
