"""Every entry of the groups is built, reaches the networks it should, and takes a step."""

import pytest
import torch

from tests.helpers.experiments import (
    TINY_IMAGES,
    TINY_POINTS,
    assembled,
    choices,
    take_steps,
    train,
)

FEW = ("steps=6", "log.every=2", "samples.every=3", "checkpoint.every=2")


def test_a_matched_gain_is_that_of_the_activation() -> None:
    run = train([*TINY_POINTS, *FEW, "initialization=matched", "activation=tanh"])
    # evidence: 1/sqrt(E tanh(z)^2) for a standard normal z
    assert run.status.gains == pytest.approx({"generator": 1.593, "discriminator": 1.593}, abs=1e-3)


def test_one_network_alone_and_parameters_reach_where_they_should() -> None:
    def activations(*overrides: str) -> tuple[str, str]:
        pair = assembled(*TINY_POINTS, *overrides).engine.config.template
        found = []
        for network in (pair.generator, pair.discriminator):
            sites = [m for n, m in network.named_modules() if n.split(".")[-1] == "activation"]
            assert len({id(m) for m in sites}) == len(sites) > 1
            assert len({str(m) for m in sites}) == 1
            found.append(str(sites[0]))
        return found[0], found[1]

    assert activations("activation=elu", "activation.alpha=0.5") == ("ELU(alpha=0.5)",) * 2
    assert activations("activation=elu", "activation@discriminator_activation=relu") == (
        "ELU(alpha=1.0)",
        "ReLU()",
    )
    assert activations("activation=elu", "activation@generator_activation=tanh") == (
        "Tanh()",
        "ELU(alpha=1.0)",
    )
    assert activations() == ("LeakyReLU(negative_slope=0.2)",) * 2


def test_one_optimizer_each() -> None:
    engine = assembled(
        *TINY_POINTS,
        "optimizer@discriminator_optimizer=rmsprop",
        "discriminator_optimizer.lr=0.001",
        "optimizer.lr=0.0001",
    ).engine
    assert engine is not None
    (group,) = engine.groups
    rates = {
        network: (type(optimizer).__name__, optimizer.param_groups[0]["lr"])
        for network, optimizer in group.optimizers.items()
    }
    assert rates == {"generator": ("Adam", 0.0001), "discriminator": ("RMSprop", 0.001)}


@pytest.mark.parametrize("group", ["activation", "objective", "regularizer", "initialization"])
def test_every_entry_takes_steps_in_both_kinds_of_network(group: str) -> None:
    for name in choices(group):
        for tiny in (TINY_IMAGES, TINY_POINTS):
            assert_learns(f"{group}={name}", *tiny)


def test_every_model_takes_a_step() -> None:
    narrow = ("model.generator.width=4", "model.discriminator.width=4", "batch_size=4")
    for name in choices("model"):
        points = name in ("mlp", "pacgan")
        data = ("dataset=ring", "dataset.size=500") if points else ("dataset=digits", "dataset.size=8")
        assert_learns(f"model={name}", *data, *narrow)


@pytest.mark.parametrize("group", ["augmentation", "optimizer"])
def test_every_entry_takes_steps_on_images(group: str) -> None:
    for name in choices(group):
        assert_learns(f"{group}={name}", *TINY_IMAGES)


def assert_learns(*overrides: str) -> None:
    experiment = assembled(*overrides)
    before = experiment.engine.states()[0].networks
    (numbers,) = take_steps(experiment, 1)
    after = experiment.engine.states()[0].networks
    assert all(n.isfinite().all() for n in numbers.values()), overrides
    assert all(t.isfinite().all() for t in after.values()), overrides
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    parameters = {n for n, _ in experiment.engine.config.template.named_parameters()}
    for player in ("generator", "discriminator"):
        own = {n for n in parameters if n.startswith(player)}
        assert len(own & moved) >= len(own) / 2, (overrides, own - moved)
