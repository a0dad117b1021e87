"""What a rehearsal finds out: optimizers that mix seeds or forget, networks that vmap cannot train, draws."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adadelta, Adafactor, Adagrad, Adam, Adamax, AdamW, NAdam, RMSprop, Rprop
from torch.testing import assert_close

from gan_lab.gan.regularizers import squared_gradient_norm
from gan_lab.training import preflight
from gan_lab.training.build import build_components
from gan_lab.training.rehearsal import resuming_problem, stacking_problem
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.seeding import random_state, seeded
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, composed, take_steps
from tests.helpers.optimizers import (
    ADOPT,
    LARS,
    AdaBelief,
    ClippedSGD,
    DecayingAdam,
    Forgetful,
    NoisySGD,
)

NETWORK = nn.Sequential(nn.Linear(3, 200), nn.PReLU(), nn.Linear(200, 150), nn.Conv2d(2, 3, 3))


@pytest.mark.parametrize(
    "optimizer",
    [
        partial(Adam, lr=1e-4),
        partial(Adam, lr=1e-3, amsgrad=True, weight_decay=0.1),
        partial(Adam, lr=1e-6, fused=True),
        partial(AdamW, lr=1e-3, fused=True),
        partial(SGD, lr=0.5, momentum=0.9, nesterov=True),
        RMSprop,
        Adagrad,
        Adadelta,
        Adamax,
        NAdam,
        Rprop,
        DecayingAdam,
        AdaBelief,
        ADOPT,
    ],
)
def test_elementwise_optimizers_may_be_stacked_and_resumed(optimizer: Any) -> None:
    assert stacking_problem(optimizer, NETWORK) is None
    assert resuming_problem(optimizer, NETWORK) is None


@pytest.mark.parametrize(
    "optimizer", [Adafactor, partial(ClippedSGD, lr=0.1), partial(LARS, lr=0.1), partial(NoisySGD, lr=0.1)]
)
def test_optimizers_that_mix_seeds_are_noticed_and_may_be_resumed(optimizer: Any) -> None:
    name = getattr(optimizer, "func", optimizer).__name__
    assert (
        stacking_problem(optimizer, NETWORK)
        == f"{name} gives seeds other numbers when they share its tensors"
    )
    assert resuming_problem(optimizer, NETWORK) is None


def test_an_optimizer_that_clips_far_above_usual_gradients_is_noticed() -> None:
    class LooselyClipped(SGD):
        def step(self, closure: Any = None) -> Any:
            nn.utils.clip_grad_norm_([p for g in self.param_groups for p in g["params"]], 1000.0)
            return super().step(closure)

    assert stacking_problem(partial(LooselyClipped, lr=0.1), NETWORK) is not None


def test_an_optimizer_whose_state_cannot_be_saved_is_refused() -> None:
    sentence = "Forgetful does not resume to the same numbers after it was saved and restored"
    assert resuming_problem(Forgetful, NETWORK) == sentence
    words = (*TINY_POINTS, "~optimizer", "+optimizer._target_=tests.helpers.optimizers.Forgetful")
    cfg = composed(*words, "+optimizer._partial_=true")
    with pytest.raises(ConfigurationError, match=f"^optimizer: {sentence}$"):
        preflight.preflight(cfg, build_components(cfg, torch.device("cpu")))


def test_a_rehearsal_leaves_global_random_numbers_alone() -> None:
    before = random_state()
    stacking_problem(partial(NoisySGD, lr=0.1), NETWORK)
    assembled(*TINY_POINTS, *activation("torch.nn.RReLU"), "seeds=2")
    assert random_state() == before


class PlainFunction(torch.autograd.Function):
    """tanh without a ``setup_context``, which vmap demands; differentiable twice."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = x.tanh()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return gradient * (1 - y.square())


class ByFunction(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = PlainFunction.apply(x)
        return out


class ByItem(nn.Module):
    """Reads a number back from the device."""

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh() * (1.0 if x.detach().abs().max().item() < 1e9 else 0.5)


class Late(nn.Module):
    """Makes its parameter at the first forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.slope: nn.Parameter | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.slope is None:
            self.slope = nn.Parameter(torch.ones(()))
        return torch.where(x > 0, x, self.slope * x)


class LazyGenerator(nn.LazyLinear):
    """Takes whatever a generator is made of, and makes its weight at the first forward pass."""

    def __init__(self, shape: tuple[int, ...], **_: Any) -> None:
        super().__init__(shape[0])


class Counting(nn.Module):
    """Keeps a count that no state dict holds."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x.tanh() / self.calls


class ByNumPy(nn.Module):
    """Draws from NumPy's global generator."""

    def forward(self, x: Tensor) -> Tensor:
        return x.tanh() * float(np.random.uniform(0.5, 1.0))


def activation(name: str, player: str = "") -> tuple[str, ...]:
    target = name if "." in name else f"tests.unit.training.test_rehearsal.{name}"
    if player:
        return (f"+{player}_activation._target_={target}",)
    return ("~activation", f"+activation._target_={target}")


@pytest.mark.parametrize("words", [TINY_POINTS, (*TINY_POINTS, "regularizer=gradient_penalty")])
@pytest.mark.parametrize("name", ["ByFunction", "ByItem", "torch.nn.RReLU", "ByNumPy"])
def test_auto_takes_an_engine_that_runs_and_says_so(
    words: tuple[str, ...], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    experiment = assembled(*words, *activation(name), "seeds=2")
    assert experiment.engine_config.engine == "sequential"
    (message,) = [r.getMessage() for r in caplog.records if "one by one" in r.getMessage()]
    assert message.startswith("the seeds are trained one by one (engine=sequential): ")
    assert experiment.engine_config.draws == (name in ("torch.nn.RReLU", "ByNumPy"))
    take_steps(experiment, 2)
    with pytest.raises(
        ConfigurationError, match=r"^engine=vmap cannot train this: .*; take engine=sequential$"
    ):
        assembled(*words, *activation(name), "seeds=2", "engine=vmap")


def test_auto_stacks_what_may_be_stacked_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    assert assembled(*TINY_POINTS, "seeds=2").engine_config.engine == "vmap"
    assert "one by one" not in caplog.text


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize("words", [TINY_POINTS, TINY_IMAGES])
def test_parameters_that_are_made_late_are_refused(words: tuple[str, ...], player: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{player}\.\S+\.slope is made at the first forward pass"):
        assembled(*words, *activation("Late", player))


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature:UserWarning")
def test_lazy_modules_of_torch_are_refused() -> None:
    target = "model.generator._target_=tests.unit.training.test_rehearsal.LazyGenerator"
    with pytest.raises(
        ConfigurationError, match=r"^model\.generator: weight is made at the first forward pass"
    ):
        assembled(*TINY_POINTS, target)


def test_networks_that_forget_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^model: the networks do not resume to the same numbers after they were"
    ):
        assembled(*TINY_POINTS, *activation("Counting"))


@pytest.mark.parametrize("make", [ByFunction, ByItem, nn.Tanh])
def test_penalties_take_whatever_double_backward_differentiates(make: Callable[[], nn.Module]) -> None:
    """D(x) = sum tanh(x): ||grad||² = sum (1 - tanh²)², whose derivative is -4 tanh (1 - tanh²)²."""
    x = torch.linspace(-1, 1, 6).view(3, 2).requires_grad_(True)
    squares = squared_gradient_norm(nn.Sequential(make(), nn.Flatten()), x)
    slope = 1 - x.detach().tanh().square()
    assert_close(squares.detach(), slope.square().sum(1))
    (gradient,) = torch.autograd.grad(squares.sum(), x)
    assert_close(gradient, -4 * x.detach().tanh() * slope.square())


def test_a_stream_covers_every_global_generator_and_puts_it_back() -> None:
    def draw() -> tuple[float, float, float]:
        return torch.rand(()).item(), float(np.random.rand()), random.random()

    before = random_state()
    with seeded(3, "name", 1):
        first = draw()
        assert random_state() != before
    assert random_state() == before
    with seeded(3, "name", 1):
        assert draw() == first
    for other in ((4, "name", 1), (3, "other", 1), (3, "name", 2)):
        with seeded(*other):
            assert not set(draw()) & set(first)
