"""Seeds are a batch dimension: every engine gives each seed what it gets alone."""

import math
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from gan_lab.gan.steps import PLAYERS
from gan_lab.training.build import Experiment
from gan_lab.training.engines import Engine, TrainState
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, choices, composed, take_steps

# Rounding differs between one kernel for all seeds and one per seed; training amplifies it step by step, and
# Adam's first steps divide small gradients by their own size. A wrong seed, stream or state is off by 1e-2.
CLOSE = {"rtol": 2e-4, "atol": 2e-5}
STEPS = 4


def same_as_solo(*overrides: str) -> None:
    together = assembled(*overrides, "seeds=8", "engine=vmap")
    assert together.engine.config.engine == "vmap"
    history = take_steps(together, STEPS)
    states = together.engine.states()
    for index in (0, 5):
        alone = assembled(*overrides, f"seed={index}")
        assert alone.engine.config.engine == "sequential"
        solo = take_steps(alone, STEPS)
        for ours, theirs in zip(history, solo, strict=True):
            for name in ("loss/discriminator", "loss/generator"):
                assert_close(ours[name][index], theirs[name][0], **CLOSE)
        assert_same_state(states[index], alone.engine.states()[0])


def assert_same_state(ours: TrainState, theirs: TrainState) -> None:
    assert ours.seed == theirs.seed
    assert_close(ours.networks, theirs.networks, **CLOSE)
    assert_close(ours.average, theirs.average, **CLOSE)
    assert ours.optimizers.keys() == theirs.optimizers.keys()


@pytest.mark.parametrize("optimizer", choices("optimizer"))
def test_mlp_seeds_equal_their_solo_runs(optimizer: str) -> None:
    same_as_solo(*TINY_POINTS, f"optimizer={optimizer}")


@pytest.mark.parametrize(
    "overrides",
    [
        ["activation=elu"],  # batch normalization is the default
        ["activation=prelu"],
        ["ema=0.9"],
        ["model.discriminator.normalization=spectral"],
        ["optimizer=sgd", "discriminator_steps=2"],
        ["regularizer=r1_r2", "objective=relativistic", "activation=softplus"],
        ["augmentation=diffaugment"],
        # A bias before a normalization has no gradient but rounding, which Adam would make a full step of.
        ["model=resnet", "model.generator.width=4", "model.discriminator.width=4", "optimizer=sgd"],
    ],
    ids=lambda overrides: ",".join(overrides),
)
def test_image_seeds_equal_their_solo_runs(overrides: list[str]) -> None:
    same_as_solo(*TINY_IMAGES, *overrides)


def test_bf16_seeds_stay_near_their_solo_runs() -> None:
    together = assembled(*TINY_IMAGES, "precision=bf16", "seeds=3", "engine=vmap")
    alone = assembled(*TINY_IMAGES, "precision=bf16", "seed=1")
    full = assembled(*TINY_IMAGES, "seed=1")
    ours, theirs, exact = (take_steps(e, 1)[0]["loss/discriminator"] for e in (together, alone, full))
    # bfloat16 has 8 bits: about 4e-3, and it must be in use at all.
    assert_close(ours[1], theirs[0], rtol=2e-2, atol=2e-2)
    assert_close(theirs, exact, rtol=2e-2, atol=2e-2)
    assert theirs[0] != exact[0]


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_seeds_do_not_influence_each_other(engine: str) -> None:
    def train(perturbed: bool) -> Experiment:
        experiment = assembled(*TINY_IMAGES, "seeds=4", f"engine={engine}", "ema=0.9")
        if perturbed:
            states = experiment.engine.states()
            for tensor in states[2].networks.values():
                tensor.mul_(3).add_(1)
            experiment.engine = experiment.engine.select(states)
        take_steps(experiment, STEPS)
        return experiment

    ours, theirs = (train(p).engine.states() for p in (False, True))
    for k in (0, 1, 3):
        assert_close(ours[k].networks, theirs[k].networks, rtol=0, atol=0)
        assert_close(ours[k].average, theirs[k].average, rtol=0, atol=0)
    weight = "generator.output.weight"
    assert not torch.equal(ours[2].networks[weight], theirs[2].networks[weight])


@pytest.mark.parametrize(
    "overrides",
    [TINY_IMAGES, TINY_POINTS, (*TINY_POINTS, "activation=snake", "activation.trainable=true")],
    ids=["images", "points", "scalar parameters"],
)
@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_states_move_between_engines_and_train_on(overrides: tuple[str, ...], engine: str) -> None:
    through = assembled(*overrides, "seeds=2", f"engine={engine}", "ema=0.9")
    take_steps(through, 2)
    straight = through.engine.states()
    other = "vmap" if engine == "sequential" else "sequential"
    moved = Engine(replace(through.engine.config, engine=other), straight)
    for ours, theirs in zip(moved.states(), straight, strict=True):
        assert_close(ours.networks, theirs.networks, rtol=0, atol=0)
        assert ours.optimizers.keys() == theirs.optimizers.keys()
        for name, values in ours.optimizers.items():
            assert_close(values, theirs.optimizers[name], rtol=0, atol=0)
    batches, last = through.batches(2)
    for e in (through.engine, moved):
        e.discriminator_step(batches[0], 2)
        e.generator_step(last, 2)
    for ours, theirs in zip(moved.states(), through.engine.states(), strict=True):
        assert_same_state(ours, theirs)


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_selecting_some_states_leaves_their_training_as_it_was(engine: str) -> None:
    everything = assembled(*TINY_POINTS, "seeds=3", f"engine={engine}")
    survivors = assembled(*TINY_POINTS, "seeds=3", f"engine={engine}")
    states = survivors.engine.states()
    survivors.engine = survivors.engine.select([states[0], states[2]])
    survivors.batches.select([0, 2])
    take_steps(everything, STEPS)
    take_steps(survivors, STEPS)
    assert survivors.engine.seeds == [0, 2]
    ours, theirs = survivors.engine.states(), everything.engine.states()
    assert_same_state(ours[0], theirs[0])
    assert_same_state(ours[1], theirs[2])


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_each_step_touches_only_its_own_network(engine: str) -> None:
    """Parameters, BatchNorm buffers and spectral vectors of the other network keep their bits."""
    experiment = assembled(*TINY_IMAGES, "seeds=2", f"engine={engine}", "regularizer=r1")
    spectral = assembled(
        *TINY_IMAGES, "seeds=2", f"engine={engine}", "model.discriminator.normalization=spectral"
    )
    for e in (experiment, spectral):
        batches, last = e.batches(0)
        for player, other in (PLAYERS, PLAYERS[::-1]):
            before = e.engine.states()[1].networks
            e.engine.update(player, last if player == "generator" else batches[0], 0)
            after = e.engine.states()[1].networks
            changed = {name for name in before if not torch.equal(before[name], after[name])}
            assert not {n for n in changed if n.startswith(other)}
            # Every parameter and buffer of the player itself moved; a vector of one number is always 1.
            assert {n for n in before if n.startswith(player) and before[n].numel() != 1} <= changed


def test_generate_is_in_evaluation_mode_and_repeatable() -> None:
    experiment = assembled(*TINY_IMAGES, "seeds=2", "ema=0.5")
    take_steps(experiment, 2)
    latent = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    whole = experiment.engine.generate(latent)
    assert whole.shape == (2, 6, 1, 8, 8)
    parts = torch.cat([experiment.engine.generate(z) for z in latent.split(3, dim=1)], dim=1)
    assert_close(whole, parts)
    vmapped = Engine(replace(experiment.engine.config, engine="vmap"), experiment.engine.states())
    assert_close(vmapped.generate(latent), whole, **CLOSE)


def test_averaged_generator_follows_its_formula() -> None:
    experiment = assembled(*TINY_POINTS, "ema=0.75", "optimizer=sgd")
    start = experiment.engine.states()[0].generator
    take_steps(experiment, 1)
    state = experiment.engine.states()[0]
    for name, before in start.items():
        now = state.networks[f"generator.{name}"]
        expected = 0.75 * before + 0.25 * now if before.is_floating_point() else now
        if "running" in name:
            expected = now
        assert_close(state.average[name], expected)


def test_unlike_seeds_and_like_seeds() -> None:
    first = assembled(*TINY_IMAGES, "seeds=2").engine.states()
    again = assembled(*TINY_IMAGES, "seed=1").engine.states()
    assert_close(first[1].networks, again[0].networks, rtol=0, atol=0)
    weights = [n for n in first[0].networks if n.endswith("weight")]
    unlike = [n for n in weights if not torch.equal(first[0].networks[n], first[1].networks[n])]
    assert len(unlike) >= len(weights) // 2
    assert composed().seed == 0


def test_groups_of_seeds_are_what_they_would_be_together(caplog: pytest.LogCaptureFixture) -> None:
    together = assembled(*TINY_IMAGES, "seeds=5", "engine=vmap", "ema=0.9")
    apart = assembled(*TINY_IMAGES, "seeds=5", "engine=vmap", "ema=0.9")
    apart.engine = Engine(replace(apart.engine.config, max_concurrent_seeds=2), apart.engine.states())
    assert "5 seeds do not fit into memory at once: they are trained in groups of 2" in caplog.text
    assert apart.engine.description == "vmap, eager, 3 groups of at most 2 seeds"
    assert [len(group.seeds) for group in apart.engine.groups] == [2, 2, 1]
    for ours, theirs in zip(take_steps(apart, STEPS), take_steps(together, STEPS), strict=True):
        assert_close(ours, theirs, **CLOSE)
    for ours, theirs in zip(apart.engine.states(), together.engine.states(), strict=True):
        assert_same_state(ours, theirs)
    latent = torch.randn(5, 3, 8)
    assert_close(apart.engine.generate(latent), together.engine.generate(latent), **CLOSE)
    for index in range(5):
        assert_close(apart.engine.state(index), together.engine.state(index), **CLOSE)
        ours, theirs = (e.engine.parameters_and_grads(index) for e in (apart, together))
        assert_close(ours, theirs, **CLOSE)
    fewer = apart.engine.select(apart.engine.states()[1:4])
    assert fewer.seeds == [1, 2, 3]
    assert [group.seeds for group in fewer.groups] == [[1, 2], [3]]


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_not_finite_is_found_in_its_seed(engine: str, bad: float) -> None:
    made = assembled(*TINY_IMAGES, "seeds=3", f"engine={engine}").engine
    assert made.all_finite() == [True, True, True]
    for name in ("generator.output.weight", next(n for n in made.state(1) if n.endswith("running_var"))):
        last = made.state(1)[name].view(-1)[-1:]
        before = last.clone()
        last.fill_(bad)
        assert made.all_finite() == [True, False, True]
        last.copy_(before)


def test_a_cloned_state_keeps_no_other_seed_in_memory() -> None:
    state = assembled(*TINY_POINTS, "seeds=3", "engine=vmap").engine.states()[1]
    alone = state.clone()
    assert_same_state(state, alone)
    sizes = {n: (t.untyped_storage().nbytes(), t.nbytes) for n, t in alone.networks.items()}
    assert all(held == own for held, own in sizes.values())
