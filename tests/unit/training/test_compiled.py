"""Compiled steps: traced as they are, the same numbers as eager ones, and eager where something is missing.

The compiler is left out here, as it starts processes: what is traced is called as it is. With the compiler:
`tests/processes/test_compiled.py`.
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.fx import GraphModule
from torch.testing import assert_close

from gan_lab.gan.steps import GAN
from gan_lab.training.build import Experiment
from gan_lab.training.engines import Engine, compiled
from gan_lab.training.engines.compiled import CompiledStep
from tests.helpers.compiling import trace_only
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, take_steps

CLOSE = {"rtol": 1e-4, "atol": 1e-5}
STEPS = 3


@pytest.fixture(autouse=True)
def _traced_only(monkeypatch: pytest.MonkeyPatch) -> None:
    trace_only(monkeypatch)


def prepared(experiment: Experiment) -> Experiment:
    """Have an experiment execute compiled steps, as one does that is built so."""
    engine = Engine(replace(experiment.engine.config, execution="compiled"), experiment.engine.states())
    discriminator_batches, generator_batch = experiment.batches(0)
    engine.prepare({"discriminator": discriminator_batches[0], "generator": generator_batch})
    experiment.engine = engine
    return experiment


def assert_same_training(ours: Experiment, theirs: Experiment, **tolerance: float) -> None:
    tolerance = tolerance or CLOSE
    for one, other in zip(take_steps(ours, STEPS), take_steps(theirs, STEPS), strict=True):
        assert one.keys() == other.keys()
        assert_close(one, other, **tolerance)
    for one, other in zip(ours.engine.states(), theirs.engine.states(), strict=True):
        assert_close(one.networks, other.networks, **tolerance)
        assert_close(one.average, other.average, **tolerance)
        assert one.optimizers.keys() == other.optimizers.keys()


@pytest.mark.parametrize(
    "overrides",
    [
        (*TINY_POINTS, "seeds=2", "discriminator_steps=2", "clipping=norm"),
        (*TINY_POINTS, "seeds=2", "regularizer=gradient_penalty", "activation=prelu"),
        (*TINY_POINTS, "seeds=1", "objective=relativistic", "optimizer=sgd"),
        (*TINY_IMAGES, "seeds=2", "engine=sequential", "ema=0.9"),
        (*TINY_IMAGES, "seeds=2", "engine=vmap", "ema=0.9"),
        (*TINY_IMAGES, "regularizer=r1_r2", "activation=softplus", "augmentation=diffaugment"),
        (*TINY_IMAGES, "model.discriminator.normalization=spectral", "generator_batch_size=4"),
    ],
    ids=lambda overrides: ",".join(word for word in overrides if word not in TINY_IMAGES + TINY_POINTS),
)
def test_compiled_steps_give_the_same_numbers(
    overrides: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    ours = assembled(*overrides, "execution=compiled")
    assert ours.execution == "compiled"
    assert ours.engine.description.endswith(", compiled")
    assert all(isinstance(step, CompiledStep) for steps in ours.engine.steps.values() for step in steps)
    assert_same_training(ours, assembled(*overrides, "execution=eager"))
    assert not said(caplog)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What gan-lab has logged, without what PyTorch notes of each trace."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("gan_lab")]


def test_bf16_steps_stay_near_eager_ones() -> None:
    ours = assembled(*TINY_IMAGES, "precision=bf16", "execution=compiled")
    assert ours.execution == "compiled"
    theirs = assembled(*TINY_IMAGES, "precision=bf16")
    one, other = (take_steps(e, 1)[0]["loss/discriminator"] for e in (ours, theirs))
    assert_close(one, other, rtol=2e-2, atol=2e-2)


def test_one_by_one_a_turn_is_compiled_once_for_all_seeds() -> None:
    engine = assembled(*TINY_IMAGES, "seeds=3", "engine=sequential", "execution=compiled").engine
    for steps in engine.steps.values():
        first, *others = [step.turn for step in steps]
        assert first is not None
        assert all(turn is first for turn in others)


def test_getting_ready_changes_no_state() -> None:
    experiment = assembled(*TINY_IMAGES, "ema=0.9")
    take_steps(experiment, 1)
    before = experiment.engine.states()
    prepared(experiment)
    assert experiment.execution == "compiled"
    for ours, theirs in zip(experiment.engine.states(), before, strict=True):
        assert_close(vars(ours), vars(theirs), rtol=0, atol=0)


def test_seeds_that_are_left_over_go_on_compiled() -> None:
    everything, survivors = (assembled(*TINY_POINTS, "seeds=3", "execution=compiled") for _ in range(2))
    states = survivors.engine.states()
    survivors.engine = survivors.engine.select([states[0], states[2]])
    survivors.batches.select([0, 2])
    ours, theirs = take_steps(survivors, STEPS), take_steps(everything, STEPS)
    assert survivors.execution == "compiled"
    for one, other in zip(ours, theirs, strict=True):
        assert_close(one["loss/generator"], other["loss/generator"][[0, 2]], **CLOSE)


class Branching(nn.Module):
    """Decides by a value what it computes."""

    def forward(self, z: Tensor) -> Tensor:
        return z[:, :2] * self.scale if z.sum() > 0 else z[:, 1:3] * self.scale

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))


class Unused(Branching):
    """Has a parameter that it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = nn.Parameter(torch.ones(2))

    def forward(self, z: Tensor) -> Tensor:
        return z[:, :2] * self.scale


class Replacing(Unused):
    """Puts another tensor in place of its buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return super().forward(z)


def with_generator(make: Callable[[], nn.Module]) -> Experiment:
    experiment = assembled(*TINY_POINTS, "optimizer=adamw", "optimizer.weight_decay=0.1")
    template = GAN(make(), experiment.engine.config.template.discriminator)
    (state,) = experiment.engine.states()
    state.networks = {name: t.clone() for name, t in template.state_dict().items()}
    experiment.engine = Engine(replace(experiment.engine.config, template=template), [state])
    return experiment


def test_a_parameter_without_a_gradient_stays_without() -> None:
    ours, theirs = prepared(with_generator(Unused)), with_generator(Unused)
    assert ours.execution == "compiled"
    assert_same_training(ours, theirs)
    assert ours.engine.parameters_and_grads(0)["generator.idle"][1] is None
    assert ours.engine.states()[0].networks["generator.idle"].tolist() == [1, 1]  # nothing decays it


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Branching, "data-dependent"),
        (Replacing, "its buffers are others than those of the eager step"),
    ],
)
def test_what_cannot_be_compiled_is_eager_with_the_same_bits(
    make: Callable[[], nn.Module], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = prepared(with_generator(make)), with_generator(make)
    assert_falls_back(ours, theirs, reason, caplog)


def assert_falls_back(
    ours: Experiment, theirs: Experiment, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert ours.execution == "eager"
    assert ours.engine.description.endswith(", eager")
    (message,) = said(caplog)
    assert message.startswith("execution=compiled: a step cannot be compiled, so it is eager: ")
    assert reason in message
    assert "\n" not in message
    assert_same_training(ours, theirs, rtol=0, atol=0)


def test_numbers_that_are_wrong_are_not_trained_with(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def make_wrong(traced: GraphModule, inputs: Sequence[Tensor], digest: str) -> Callable[..., list[Tensor]]:
        return lambda *tensors: [1.01 * x for x in traced(*tensors)]

    monkeypatch.setattr(compiled, "make_library", make_wrong)
    ours = assembled(*TINY_POINTS, "seeds=2", "execution=compiled")
    reason = "its gradients are others than those of the eager step"
    assert_falls_back(ours, assembled(*TINY_POINTS, "seeds=2"), reason, caplog)


def test_where_pytorch_makes_no_library_its_compiler_keeps_what_it_makes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise AttributeError("no such API")

    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    monkeypatch.setenv("CXX", sys.executable)  # something that is there, and is not called
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setattr(compiled, "make_library", refuse)
    monkeypatch.setattr(torch, "compile", lambda traced, **_: traced)
    ours = assembled(*TINY_POINTS, "seeds=2", "execution=compiled")
    assert ours.execution == "compiled"
    assert_same_training(ours, assembled(*TINY_POINTS, "seeds=2"))
    assert not said(caplog)


def test_without_a_compiler_steps_are_eager(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert shutil.which("no-such-compiler") is None
    ours = assembled(*TINY_POINTS, "execution=compiled")
    reason = "there is no C++ compiler here (no-such-compiler; the variable CXX names another one)"
    assert_falls_back(ours, assembled(*TINY_POINTS), reason, caplog)


def test_networks_that_draw_are_eager(caplog: pytest.LogCaptureFixture) -> None:
    words = (*TINY_POINTS, "~activation", "+activation._target_=torch.nn.Dropout")
    ours = assembled(*words, "execution=compiled")
    reason = "networks, losses or optimizers draw random numbers"
    assert_falls_back(ours, assembled(*words), reason, caplog)
