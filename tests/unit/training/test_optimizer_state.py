"""Whatever an optimizer remembers goes through a checkpoint: training resumes to the same bits."""

import io
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch.optim import Adam, NAdam, Optimizer
from torch.testing import assert_close

from gan_lab.gan.steps import PLAYERS
from gan_lab.training.build import Experiment
from gan_lab.training.engines import Engine, TrainState
from gan_lab.training.engines.optimizer_state import load_settings, settings
from gan_lab.training.engines.optimizers import OptimizerFactory
from tests.helpers.experiments import TINY_POINTS, assembled, take_steps
from tests.helpers.optimizers import ADOPT, AdaBelief, DecayingAdam

SCALARS = (*TINY_POINTS, "activation=snake", "activation.trainable=true")


def trained_with(factory: OptimizerFactory, engine: str) -> Experiment:
    experiment = assembled(*SCALARS, "seeds=2", f"engine={engine}", "ema=0.9")
    config = replace(experiment.engine.config, optimizers=dict.fromkeys(PLAYERS, factory))
    experiment.engine = Engine(config, experiment.engine.states())
    return experiment


def through_a_checkpoint(states: list[TrainState]) -> list[TrainState]:
    buffer = io.BytesIO()
    torch.save([vars(state) for state in states], buffer)
    buffer.seek(0)
    return [TrainState(**state) for state in torch.load(buffer, weights_only=True)]


@pytest.mark.parametrize("optimizer", [DecayingAdam, AdaBelief, ADOPT, NAdam, partial(Adam, amsgrad=True)])
@pytest.mark.parametrize("engine", ["vmap", "sequential"])
@pytest.mark.parametrize("steps", [1, 5])
def test_a_restored_optimizer_goes_on_to_the_same_bits(
    optimizer: OptimizerFactory, engine: str, steps: int
) -> None:
    straight = trained_with(optimizer, engine)
    take_steps(straight, steps)
    states = straight.engine.states()
    restored = trained_with(optimizer, engine)
    restored.engine = restored.engine.select(through_a_checkpoint(states))
    take_steps(straight, 3)
    take_steps(restored, 3)
    for ours, theirs in zip(restored.engine.states(), straight.engine.states(), strict=True):
        assert_close(ours.networks, theirs.networks, rtol=0, atol=0)
        assert_close(ours.optimizers, theirs.optimizers, rtol=0, atol=0)
        assert ours.optimizer_settings == theirs.optimizer_settings


@pytest.mark.parametrize("optimizer", [DecayingAdam, AdaBelief, ADOPT, Adam])
@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_states_of_own_optimizers_move_to_the_other_engine(optimizer: OptimizerFactory, engine: str) -> None:
    straight = trained_with(optimizer, engine)
    take_steps(straight, 3)
    moved = trained_with(optimizer, "sequential" if engine == "vmap" else "vmap")
    moved.engine = moved.engine.select(straight.engine.states())
    take_steps(straight, 2)
    take_steps(moved, 2)
    for ours, theirs in zip(moved.engine.states(), straight.engine.states(), strict=True):
        assert_close(ours.networks, theirs.networks, rtol=2e-4, atol=2e-5)


def test_states_are_copies_of_everything_that_an_optimizer_remembers() -> None:
    experiment = trained_with(AdaBelief, "sequential")
    take_steps(experiment, 1)
    state = experiment.engine.states()[0]
    before = state.clone()
    take_steps(experiment, 2)
    assert_close(vars(state), vars(before), rtol=0, atol=0)


def test_settings_hold_the_schedule_and_the_groups() -> None:
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = DecayingAdam([weight], lr=0.5)
    for _ in range(2):
        weight.grad = torch.ones(3)
        optimizer.step()
    saved = settings(optimizer)
    assert saved["param_groups"][0]["lr"] == pytest.approx(0.5 * (1 - 0.99 * 2 / 4))
    assert saved["param_groups"][0]["initial_lr"] == 0.5
    assert saved["attributes"]["schedule"]["last_epoch"] == 2
    assert "params" not in saved["param_groups"][0]


class Wrapped(Optimizer):
    """Another optimizer inside, whose state an overridden state dict names."""

    def __init__(self, params: list[torch.nn.Parameter]) -> None:
        super().__init__(params, {"lr": 0.1})
        self._inner = {"a function": print}
        self.taken = (0,)

    def state_dict(self) -> dict[str, object]:
        return {**super().state_dict(), "taken": self.taken[0]}

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        self.loaded = state_dict["taken"]
        super().load_state_dict(state_dict)


def test_an_overridden_state_dict_is_saved_and_loaded() -> None:
    ours, theirs = (Wrapped([torch.nn.Parameter(torch.ones(2))]) for _ in range(2))
    ours.taken = (7,)
    load_settings(theirs, settings(ours))
    assert theirs.loaded == 7
    assert theirs.taken == (7,)
    assert theirs._inner == {"a function": print}
