"""Clipping of each network's gradients: as in plain PyTorch, and for each seed by itself."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.testing import assert_close

from gan_lab.gan import ClipNorm, ClipValue
from gan_lab.gan.steps import LOSSES, Batch
from gan_lab.training.build import Experiment
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, take_steps

# Steps of SGD are as long as gradients are, which are tiny after the default initialization.
SGD = ("optimizer=sgd", "optimizer.lr=0.1", "initialization=matched")
BOTH = (
    *("clipping@generator_clipping=norm", "generator_clipping.max_norm=0.01"),
    *("clipping@discriminator_clipping=value", "discriminator_clipping.clip_value=0.02"),
    *SGD,
)
Clip = Callable[[Sequence[nn.Parameter]], object]


def in_plain_torch(experiment: Experiment, steps: int, clips: dict[str, Clip]) -> dict[str, Tensor]:
    """The networks of one seed, trained as everybody does."""
    config = experiment.engine_config
    gan = config.template
    parameters = {name: list(gan.get_submodule(name).parameters()) for name in clips}
    optimizers = {name: config.optimizers[name](parameters[name]) for name in clips}
    for step in range(steps):
        (batch,), generator_batch = experiment.batches(step)
        for name, one in (("discriminator", batch), ("generator", generator_batch)):
            loss, _ = gan(LOSSES[name], config.gan_loss, Batch(*(part[0] for part in one)))
            optimizers[name].zero_grad()
            loss.backward()
            clips[name](parameters[name])
            optimizers[name].step()
    return dict(gan.state_dict())


@pytest.mark.parametrize("words", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_a_run_is_one_in_plain_torch_that_clips(words: tuple[str, ...]) -> None:
    clips: dict[str, Clip] = {
        "generator": lambda parameters: clip_grad_norm_(parameters, 0.01),
        "discriminator": lambda parameters: clip_grad_value_(parameters, 0.02),
    }
    ours, plain = assembled(*words, *BOTH), assembled(*words, *SGD)
    expected = in_plain_torch(assembled(*words, *SGD), 4, clips)
    for experiment in (ours, plain):
        take_steps(experiment, 4)
    assert_close(ours.engine.states()[0].networks, expected, rtol=1e-5, atol=1e-6)
    start = assembled(*words, *SGD).engine.config.template
    for name in clips:  # each of them is clipped
        own = [f"{name}.{parameter}" for parameter, _ in start.get_submodule(name).named_parameters()]
        moved, moved_freely = (
            sum((e.engine.states()[0].networks[n] - start.get_parameter(n)).abs().sum().item() for n in own)
            for e in (ours, plain)
        )
        assert moved < 0.5 * moved_freely


@pytest.mark.parametrize("words", [BOTH, ("clipping=norm", "clipping.max_norm=0.03", *SGD)])
def test_every_seed_is_clipped_by_itself(words: tuple[str, ...]) -> None:
    """Stacked, several seeds would share a norm, and each get a smaller part of it."""
    together = assembled(*TINY_POINTS, *words, "seeds=3", "engine=vmap")
    take_steps(together, 4)
    for index, state in enumerate(together.engine.states()):
        alone = assembled(*TINY_POINTS, *words, f"seed={index}")
        take_steps(alone, 4)
        assert_close(state.networks, alone.engine.states()[0].networks, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_norm_and_the_values_are_those_of_torch(scale: float) -> None:
    torch.manual_seed(0)
    gradients = [scale * torch.randn(shape) for shape in ((3, 4), (5,), (), (2, 1, 3))]
    for ours, theirs in (
        (ClipNorm(0.5), lambda parameters: clip_grad_norm_(parameters, 0.5)),
        (ClipValue(0.5), lambda parameters: clip_grad_value_(parameters, 0.5)),
    ):
        parameters = [nn.Parameter(torch.zeros_like(gradient)) for gradient in gradients]
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
        theirs(parameters)
        assert_close(ours(gradients), [parameter.grad for parameter in parameters])


def test_a_gradient_that_is_not_finite_stays_so() -> None:
    """Such a seed has diverged, and nothing may hide it."""
    assert ClipNorm(1.0)([torch.tensor([float("nan"), 1.0])])[0].isnan().all()
    assert ClipNorm(1.0)([torch.tensor([float("inf"), 1.0])])[0].isnan().any()
    assert ClipValue(1.0)([torch.tensor([float("nan"), 5.0])])[0].isnan().any()


def by_item(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Reads a number back from the device, which vmap cannot."""
    largest = max(gradient.abs().max().item() for gradient in gradients)
    return [gradient / max(largest, 1e-9) for gradient in gradients]


def unfit(gradients: Sequence[Tensor]) -> list[Tensor]:
    return [gradient.flatten() for gradient in gradients[:1]]


def own(name: str) -> tuple[str, ...]:
    return (f"+clipping._target_={__name__}.{name}", "+clipping._partial_=true", "seeds=2")


def test_what_cannot_be_lifted_is_done_one_by_one_and_said(caplog: pytest.LogCaptureFixture) -> None:
    experiment = assembled(*TINY_POINTS, *own("by_item"))
    assert experiment.engine_config.engine == "sequential"
    assert "the seeds are trained one by one (engine=sequential): " in caplog.text
    take_steps(experiment, 1)


def test_what_loses_gradients_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^clipping must return as many gradients as it gets.* it made \(6,\)$"
    ):
        assembled(*TINY_POINTS, *own("unfit"))
    with pytest.raises(ConfigurationError, match=r"^clipping: max_norm must be a number above 0, got 0$"):
        assembled(*TINY_POINTS, "clipping=norm", "clipping.max_norm=0")
