"""Networks that start from trained weights have what plain PyTorch loads, and the rest is fresh."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.testing import assert_close

from gan_lab.gan.steps import GAN
from gan_lab.training.engines import Engine, TrainState
from gan_lab.training.initial_weights import take_initial_weights
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import TINY_POINTS, assembled, composed, take_steps

FILE = "weights.safetensors"


def trained(*overrides: str) -> dict[str, Tensor]:
    """Both networks after some steps, by the names of a GAN."""
    experiment = assembled(*TINY_POINTS, "seed=7", *overrides)
    take_steps(experiment, 3)
    return experiment.engine.states()[0].networks


def part(weights: dict[str, Tensor], player: str) -> dict[str, Tensor]:
    return {name: t for name, t in weights.items() if name.startswith(f"{player}.")}


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_training_goes_on_as_from_load_state_dict(engine: str) -> None:
    weights = trained()
    save_file(weights, FILE)
    words = (*TINY_POINTS, "seeds=2", f"engine={engine}", "ema=0.9")
    ours, plain = assembled(*words, f"init_from={FILE}"), assembled(*words)
    states = plain.engine.states()
    for state in states:
        gan: GAN = deepcopy(plain.engine_config.template)
        gan.load_state_dict(weights)
        state.networks, state.average = dict(gan.state_dict()), {}
    plain.engine = Engine(plain.engine_config, states)
    for experiment in (ours, plain):
        take_steps(experiment, 2)
    for one, other in zip(ours.engine.states(), plain.engine.states(), strict=True):
        assert_close(vars(one), vars(other), rtol=0, atol=0)
    first, second = ours.engine.states()
    with pytest.raises(AssertionError):  # each seed has batches of its own
        assert_close(first.networks, second.networks)


def taken(weights: dict[str, Tensor], *overrides: str) -> tuple[dict[str, str], TrainState, TrainState]:
    """What is said, the state that took the weights, and a fresh one."""
    save_file(weights, FILE)
    states = [assembled(*TINY_POINTS, *overrides).engine.states()[0] for _ in range(2)]
    cfg = composed(*TINY_POINTS, *overrides, f"init_from={FILE}")
    return take_initial_weights(cfg, states[:1]), states[0], states[1]


def test_a_file_without_names_of_networks_is_a_generators() -> None:
    weights = trained()
    bare = {name.removeprefix("generator."): t for name, t in part(weights, "generator").items()}
    said, state, fresh = taken(bare)
    assert said == {"generator": f"{len(bare)} of {len(bare)} tensors", "discriminator": "fresh"}
    assert_close(part(state.networks, "generator"), part(weights, "generator"), rtol=0, atol=0)
    assert_close(part(state.networks, "discriminator"), part(fresh.networks, "discriminator"), rtol=0, atol=0)


def test_matching_names_are_taken_and_the_rest_is_fresh() -> None:
    weights = trained()
    said, state, fresh = taken(weights, "model.generator.width=12", "init_partial=true")
    same = {n for n, t in weights.items() if t.shape == fresh.networks[n].shape}
    assert 0 < len([name for name in same if name.startswith("generator.")]) < len(part(weights, "generator"))
    for name, tensor in state.networks.items():
        assert_close(tensor, (weights if name in same else fresh.networks)[name], rtol=0, atol=0)
    count = len(part(weights, "generator"))
    kept = len([name for name in same if name.startswith("generator.")])
    assert said["generator"].startswith(f"{kept} of {count} tensors; fresh: hidden.0.linear.weight, ")
    assert said["discriminator"] == f"{count} of {count} tensors"


def test_numbers_of_another_precision_become_those_of_the_network() -> None:
    weights = {name: t.double() if t.is_floating_point() else t for name, t in trained().items()}
    _, state, fresh = taken(weights)
    assert {n: t.dtype for n, t in state.networks.items()} == {n: t.dtype for n, t in fresh.networks.items()}
    assert_close({name: t.to(weights[name].dtype) for name, t in state.networks.items()}, weights)


def without_one(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: t for name, t in weights.items() if name != "discriminator.output.bias"}


def with_another(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**weights, "generator.more": torch.ones(2)}


@pytest.mark.parametrize(
    ("change", "overrides", "expected"),
    [
        (without_one, (), "discriminator: .* is missing there and of shape"),
        (
            with_another,
            (),
            r"generator: generator.more is of shape \(2,\) there and missing here; init_partial",
        ),
        (
            dict,
            ("model.generator.width=12",),
            "generator: .* is of shape .* there and of shape",
        ),
    ],
)
def test_without_init_partial_everything_must_fit(
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]], overrides: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"^init_from={FILE} does not fit the {expected}"):
        taken(change(trained()), *overrides)


def test_what_fits_nowhere_and_what_is_no_file_of_weights_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=f"^init_from={FILE} has no weight of the name and shape"):
        taken({"generator.other": torch.ones(1)}, "init_partial=true")
    Path(FILE).write_bytes(b"no weights")
    with pytest.raises(ConfigurationError, match=f"^init_from: .*{FILE} is not a sound safetensors file"):
        take_initial_weights(composed(f"init_from={FILE}"), [])
