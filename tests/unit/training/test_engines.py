"""Seeds are a batch dimension: every engine gives each seed what it gets alone."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from gan_lab.training import preflight
from gan_lab.training.build import Experiment, build_components
from gan_lab.training.engines import (
    PLAYERS,
    ChunkedEngine,
    CudaGraphEngine,
    Engine,
    EngineConfig,
    SequentialEngine,
    TrainState,
    VmapEngine,
    choose,
)
from gan_lab.training.engines.cuda_graph import WARMUP_STEPS
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, choices, composed, play, untrained

# Rounding differs between one kernel for all seeds and one a seed; training amplifies it step by step, and
# Adam's first steps divide small gradients by their own size. A wrong seed, stream or state is off by 1e-2.
CLOSE = {"rtol": 2e-4, "atol": 2e-5}
STEPS = 4


def same_as_solo(*overrides: str) -> None:
    together = assembled(*overrides, "seeds=8", "engine=stacked")
    assert isinstance(together.engine, VmapEngine)
    history = play(together, STEPS)
    members = together.engine.members()
    for index in (0, 5):
        alone = assembled(*overrides, f"seed={index}")
        assert isinstance(alone.engine, SequentialEngine)
        solo = play(alone, STEPS)
        for ours, theirs in zip(history, solo, strict=True):
            for name in ("loss/discriminator", "loss/generator"):
                assert_close(ours[name][index], theirs[name][0], **CLOSE)
        assert_same_member(members[index], alone.engine.members()[0])


def assert_same_member(ours: TrainState, theirs: TrainState) -> None:
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
    together = assembled(*TINY_IMAGES, "precision=bf16", "seeds=3", "engine=stacked")
    alone = assembled(*TINY_IMAGES, "precision=bf16", "seed=1")
    full = assembled(*TINY_IMAGES, "seed=1")
    ours, theirs, exact = (play(e, 1)[0]["loss/discriminator"] for e in (together, alone, full))
    # bfloat16 has 8 bits: about 4e-3, and it must be in use at all.
    assert_close(ours[1], theirs[0], rtol=2e-2, atol=2e-2)
    assert_close(theirs, exact, rtol=2e-2, atol=2e-2)
    assert theirs[0] != exact[0]


@pytest.mark.parametrize("engine", ["stacked", "side_by_side"])
def test_seeds_do_not_influence_each_other(engine: str) -> None:
    def train(perturbed: bool) -> Experiment:
        experiment = assembled(*TINY_IMAGES, "seeds=4", f"engine={engine}", "ema=0.9")
        if perturbed:
            members = experiment.engine.members()
            for tensor in members[2].networks.values():
                tensor.mul_(3).add_(1)
            experiment.engine = experiment.engine.keep(members)
        play(experiment, STEPS)
        return experiment

    ours, theirs = (train(p).engine.members() for p in (False, True))
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
@pytest.mark.parametrize("engine", ["stacked", "side_by_side"])
def test_members_move_between_engines_and_go_on(overrides: tuple[str, ...], engine: str) -> None:
    through = assembled(*overrides, "seeds=2", f"engine={engine}", "ema=0.9")
    play(through, 2)
    straight = through.engine.members()
    other = VmapEngine if engine == "side_by_side" else SequentialEngine
    moved = other(through.engine.setup, straight)
    for ours, theirs in zip(moved.members(), straight, strict=True):
        assert_close(ours.networks, theirs.networks, rtol=0, atol=0)
        assert ours.optimizers.keys() == theirs.optimizers.keys()
        for name, state in ours.optimizers.items():
            assert_close(state, theirs.optimizers[name], rtol=0, atol=0)
    batches, last = through.batches(2)
    for e in (through.engine, moved):
        e.discriminator_step(batches[0])
        e.generator_step(last)
    for ours, theirs in zip(moved.members(), through.engine.members(), strict=True):
        assert_same_member(ours, theirs)


@pytest.mark.parametrize("engine", ["stacked", "side_by_side"])
def test_keeping_some_members_leaves_their_training_as_it_was(engine: str) -> None:
    everybody = assembled(*TINY_POINTS, "seeds=3", f"engine={engine}")
    survivors = assembled(*TINY_POINTS, "seeds=3", f"engine={engine}")
    members = survivors.engine.members()
    survivors.engine = survivors.engine.keep([members[0], members[2]])
    survivors.batches.keep([0, 2])
    play(everybody, STEPS)
    play(survivors, STEPS)
    assert survivors.engine.seeds == [0, 2]
    ours, theirs = survivors.engine.members(), everybody.engine.members()
    assert_same_member(ours[0], theirs[0])
    assert_same_member(ours[1], theirs[2])


@pytest.mark.parametrize("engine", ["stacked", "side_by_side"])
def test_each_turn_touches_only_its_own_network(engine: str) -> None:
    """Parameters, BatchNorm buffers and spectral vectors of the other network keep their bits."""
    experiment = assembled(*TINY_IMAGES, "seeds=2", f"engine={engine}", "regularizer=r1")
    spectral = assembled(
        *TINY_IMAGES, "seeds=2", f"engine={engine}", "model.discriminator.normalization=spectral"
    )
    for e in (experiment, spectral):
        batches, last = e.batches(0)
        for player, other in (PLAYERS, PLAYERS[::-1]):
            before = e.engine.members()[1].networks
            if player == "generator":
                e.engine.generator_step(last)
            else:
                e.engine.discriminator_step(batches[0])
            after = e.engine.members()[1].networks
            changed = {name for name in before if not torch.equal(before[name], after[name])}
            assert not {n for n in changed if n.startswith(other)}
            # Every parameter and buffer of the player itself moved; a vector of one number is always 1.
            assert {n for n in before if n.startswith(player) and before[n].numel() != 1} <= changed


def test_generate_is_in_evaluation_mode_and_repeatable() -> None:
    experiment = assembled(*TINY_IMAGES, "seeds=2", "ema=0.5")
    play(experiment, 2)
    latent = torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(0))
    whole = experiment.engine.generate(latent)
    assert whole.shape == (2, 6, 1, 8, 8)
    parts = torch.cat([experiment.engine.generate(z) for z in latent.split(3, dim=1)], dim=1)
    assert_close(whole, parts)
    stacked = VmapEngine(experiment.engine.setup, experiment.engine.members())
    assert_close(stacked.generate(latent), whole, **CLOSE)


def test_averaged_generator_follows_its_formula() -> None:
    experiment = assembled(*TINY_POINTS, "ema=0.75", "optimizer=sgd")
    start = experiment.engine.members()[0].generator
    play(experiment, 1)
    member = experiment.engine.members()[0]
    for name, before in start.items():
        now = member.networks[f"generator.{name}"]
        expected = 0.75 * before + 0.25 * now if before.is_floating_point() else now
        if "running" in name:
            expected = now
        assert_close(member.average[name], expected)


def test_auto_takes_the_plain_step_for_one_seed_and_a_stack_for_small_networks() -> None:
    setup = assembled(*TINY_POINTS, "seeds=2").engine.setup
    members = assembled(*TINY_POINTS, "seeds=2").engine.members()
    assert isinstance(choose("auto", setup, members[:1]), SequentialEngine)
    assert isinstance(choose("auto", setup, members), VmapEngine)
    with pytest.raises(ConfigurationError, match=r"^engine must be one of auto, stacked, side_by_side"):
        choose("warp", setup, members)


def test_unlike_seeds_and_like_seeds() -> None:
    first = assembled(*TINY_IMAGES, "seeds=2").engine.members()
    again = assembled(*TINY_IMAGES, "seed=1").engine.members()
    assert_close(first[1].networks, again[0].networks, rtol=0, atol=0)
    weights = [n for n in first[0].networks if n.endswith("weight")]
    unlike = [n for n in weights if not torch.equal(first[0].networks[n], first[1].networks[n])]
    assert len(unlike) >= len(weights) // 2
    assert composed().seed == 0


@pytest.mark.parametrize("inner", [VmapEngine, SequentialEngine])
def test_groups_of_seeds_are_what_they_would_be_together(inner: type[Engine]) -> None:
    together = assembled(*TINY_IMAGES, "seeds=5", "engine=stacked", "ema=0.9")
    apart = assembled(*TINY_IMAGES, "seeds=5", "engine=stacked", "ema=0.9")
    apart.engine = ChunkedEngine(apart.engine.setup, apart.engine.members(), inner, 2)
    assert [len(group.seeds) for group in apart.engine.groups] == [2, 2, 1]
    for ours, theirs in zip(play(apart, STEPS), play(together, STEPS), strict=True):
        assert_close(ours, theirs, **CLOSE)
    for ours, theirs in zip(apart.engine.members(), together.engine.members(), strict=True):
        assert_same_member(ours, theirs)
    latent = torch.randn(5, 3, 8)
    assert_close(apart.engine.generate(latent), together.engine.generate(latent), **CLOSE)
    for index in range(5):
        assert_close(apart.engine.state(index), together.engine.state(index), **CLOSE)
        assert apart.engine.weights(index).keys() == together.engine.weights(index).keys()
    fewer = apart.engine.keep(apart.engine.members()[1:4])
    assert isinstance(fewer, ChunkedEngine)
    assert fewer.seeds == [1, 2, 3]


def test_seeds_that_do_not_fit_are_split_into_groups_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    words = (*TINY_POINTS, "model.generator.width=64", "batch_size=64", "seeds=6")
    everything = assembled(*words).engine
    assert isinstance(everything, VmapEngine)
    cfg = composed(*words)
    components = build_components(cfg, torch.device("cpu"))
    each = preflight.dry_run(cfg, components)
    own = sum(t.numel() * t.element_size() for t in components.gan.state_dict().values())
    for fitting, expected in ((6, 6), (4.5, 4), (1.2, 1), (0.1, 1)):
        needed = 8 * own * 6 + fitting * preflight.ACTIVATION_COPIES * each * 64
        room = int(needed / preflight.MEMORY_FRACTION) + 1
        monkeypatch.setattr(preflight, "available", lambda device, room=room: room)
        made = assembled(*words).engine
        sizes = [len(group.seeds) for group in made.groups] if isinstance(made, ChunkedEngine) else [6]
        assert max(sizes) == expected
    assert "6 seeds do not fit into memory at once: they are played in groups of 4" in caplog.text
    assert made.description == "VmapEngine, 6 groups of at most 1 seeds"


class Repeated:
    """Stands in for a CUDA graph: the work itself, done again on the same tensors at each replay."""

    def __init__(self, work: Callable[[], torch.Tensor]) -> None:
        self.work, self.output = work, torch.empty(0)

    def replay(self) -> None:
        self.output = self.work()


@pytest.mark.parametrize("overrides", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_captured_turns_are_the_turns_themselves(
    overrides: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def captured() -> Experiment:
        experiment = assembled(*overrides, "seeds=2", "engine=stacked", "ema=0.9")
        # It asks for CUDA, which a stand-in on the CPU does not need.
        engine, setup = experiment.engine, experiment.engine.setup
        experiment.engine = CudaGraphEngine(
            replace(setup, device=torch.device("cuda")), engine.members(), on_cpu
        )
        return experiment

    def on_cpu(setup: EngineConfig, members: Sequence[TrainState]) -> VmapEngine:
        return VmapEngine(replace(setup, device=torch.device("cpu")), members)

    monkeypatch.setattr(CudaGraphEngine, "record", Repeated)
    ours, theirs = captured(), assembled(*overrides, "seeds=2", "engine=stacked", "ema=0.9")
    history, expected = play(ours, WARMUP_STEPS + 3), play(theirs, WARMUP_STEPS + 3)
    assert len(ours.engine._captured) == 2  # type: ignore[attr-defined]
    for one, other in zip(history, expected, strict=True):
        assert_close(one, other, rtol=0, atol=0)
    for one, other in zip(ours.engine.members(), theirs.engine.members(), strict=True):
        assert_close(one.networks, other.networks, rtol=0, atol=0)
        assert_close(one.average, other.average, rtol=0, atol=0)
    assert all(
        group["capturable"] for optimizer in ours.engine.all_optimizers() for group in optimizer.param_groups
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("overrides", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_cuda_graphs_give_the_same_numbers(overrides: tuple[str, ...], seeds: int) -> None:
    device = torch.device("cuda")
    words = (*overrides, f"seeds={seeds}", "ema=0.9")
    ours = untrained(composed(*words, "engine=captured"), device)
    theirs = untrained(composed(*words), device)
    for one, other in zip(play(ours, WARMUP_STEPS + 5), play(theirs, WARMUP_STEPS + 5), strict=True):
        assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_captured_needs_cuda() -> None:
    with pytest.raises(ConfigurationError, match="engine=captured needs a CUDA device, and this is cpu"):
        assembled(*TINY_POINTS, "engine=captured")


@pytest.mark.parametrize("engine", ["stacked", "side_by_side"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_not_finite_is_found_in_its_seed(engine: str, bad: float) -> None:
    made = assembled(*TINY_IMAGES, "seeds=3", f"engine={engine}").engine
    assert made.finite() == [True, True, True]
    for name in ("generator.output.weight", next(n for n in made.state(1) if n.endswith("running_var"))):
        place = made.state(1)[name].view(-1)[-1:]
        before = place.clone()
        place.fill_(bad)
        assert made.finite() == [True, False, True]
        place.copy_(before)


def test_a_member_apart_keeps_nobody_elses_memory_alive() -> None:
    member = assembled(*TINY_POINTS, "seeds=3", "engine=stacked").engine.members()[1]
    alone = member.apart()
    assert_same_member(member, alone)
    sizes = {n: (t.untyped_storage().nbytes(), t.nbytes) for n, t in alone.networks.items()}
    assert all(held == own for held, own in sizes.values())
