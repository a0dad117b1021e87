"""Learning rates that change: as in plain PyTorch, for each network, under every engine, after a stop."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR
from torch.testing import assert_close

from gan_lab.gan.steps import LOSSES, Batch
from gan_lab.training.build import Experiment
from gan_lab.training.engines import Engine, cuda_graph
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.capture import Repeating
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, composed, take_steps

BOTH = (
    *("schedule@generator_schedule=linear", "generator_schedule.length=5"),
    *("schedule@discriminator_schedule=cosine", "discriminator_schedule.length=7"),
    *("discriminator_steps=2", "ema=0.9"),
)


def in_plain_torch(experiment: Experiment, steps: int) -> list[dict[str, Tensor]]:
    """One seed's networks, trained as everybody does: with an optimizer and a scheduler each."""
    gan = experiment.engine_config.template
    optimizers = {
        name: make(gan.get_submodule(name).parameters())
        for name, make in experiment.engine_config.optimizers.items()
    }
    schedulers = [
        LinearLR(optimizers["generator"], 1.0, 0.0, 5),
        CosineAnnealingLR(optimizers["discriminator"], 7),
    ]
    states = []
    for step in range(steps):
        batches, generator_batch = experiment.batches(step)
        for name, batch in [*(("discriminator", batch) for batch in batches), ("generator", generator_batch)]:
            loss, _ = gan(
                LOSSES[name], experiment.engine_config.gan_loss, Batch(*(part[0] for part in batch))
            )
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
        for scheduler in schedulers:
            scheduler.step()
        states.append({name: t.clone() for name, t in gan.state_dict().items()})
    return states


@pytest.mark.parametrize("words", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_a_run_is_one_in_plain_torch_with_a_scheduler_for_each_network(words: tuple[str, ...]) -> None:
    ours = assembled(*words, *BOTH)
    expected = in_plain_torch(assembled(*words, *BOTH), 6)
    take_steps(ours, 6)
    assert_close(ours.engine.states()[0].networks, expected[-1], rtol=1e-5, atol=1e-6)
    constant = assembled(*words, "discriminator_steps=2")
    take_steps(constant, 6)
    with pytest.raises(AssertionError):
        assert_close(constant.engine.states()[0].networks, expected[-1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_stacked_seeds_have_the_rates_that_they_have_alone(optimizer: str) -> None:
    words = (*TINY_POINTS, *BOTH, f"optimizer={optimizer}", "seeds=2")
    together, alone = (assembled(*words, f"engine={name}") for name in ("vmap", "sequential"))
    histories = [take_steps(experiment, 6) for experiment in (together, alone)]
    tags = ("learning_rate/generator", "learning_rate/discriminator")
    for ours, theirs in zip(*histories, strict=True):
        assert_close([ours[tag] for tag in tags], [theirs[tag] for tag in tags], rtol=0, atol=0)
    rate = composed(*words).optimizer.lr
    first, second = (histories[0][step]["learning_rate/generator"] for step in (0, 1))
    assert_close(first, torch.full((2,), rate))
    assert_close(second, torch.full((2,), 0.8 * rate))
    for ours, theirs in zip(together.engine.states(), alone.engine.states(), strict=True):
        assert_close(ours.networks, theirs.networks, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_states_that_are_taken_up_again_have_the_rate_of_their_step(engine: str) -> None:
    words = (*TINY_POINTS, *BOTH, "seeds=2", f"engine={engine}")
    straight, stopped = assembled(*words), assembled(*words)
    take_steps(straight, 6)
    history = take_steps(stopped, 3)
    cfg = composed(*words)
    stopped.engine = Engine(stopped.engine_config, stopped.engine.states())
    for step in range(3, 6):
        batches, generator_batch = stopped.batches(step)
        for turn, batch in enumerate(batches, 2 * step):
            stopped.engine.discriminator_step(batch, turn)
        history.append(stopped.engine.generator_step(generator_batch, step))
    for ours, theirs in zip(stopped.engine.states(), straight.engine.states(), strict=True):
        assert_close(vars(ours), vars(theirs), rtol=0, atol=0)
    rates = torch.stack([scalars["learning_rate/generator"][0] for scalars in history])
    assert_close(rates, cfg.optimizer.lr * torch.tensor([1, 0.8, 0.6, 0.4, 0.2, 0]))


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_a_captured_step_reads_its_rate_from_a_tensor(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "CudaCapture", Repeating)
    # Neither fused nor capturable: such optimizers refuse a CPU.
    words = (*TINY_POINTS, *BOTH, "seeds=2", "optimizer=sgd", f"engine={engine}")
    ours, theirs = assembled(*words), assembled(*words)
    ours.engine = Engine(replace(ours.engine_config, execution="cuda_graph"), ours.engine.states())
    rates = [group["lr"] for optimizer in ours.engine.optimizers for group in optimizer.param_groups]
    assert all(isinstance(rate, Tensor) and rate.device == torch.device("cpu") for rate in rates)
    take_steps(ours, 6)
    take_steps(theirs, 6)
    after = [group["lr"] for optimizer in ours.engine.optimizers for group in optimizer.param_groups]
    assert all(one is other for one, other in zip(rates, after, strict=True)), (
        "a graph would read the old one"
    )
    for one, other in zip(ours.engine.states(), theirs.engine.states(), strict=True):
        assert_close(one.networks, other.networks)
    # States go from one execution to the other, numbers and tensors alike.
    back = Engine(theirs.engine_config, ours.engine.states())
    back.discriminator_step(ours.batches(6)[0][0], 12)
    there = Engine(ours.engine.config, theirs.engine.states())
    assert all(isinstance(g["lr"], Tensor) for o in there.optimizers for g in o.param_groups)
    there.discriminator_step(theirs.batches(6)[0][0], 12)
    for one, other in zip(back.states(), there.states(), strict=True):
        assert_close(one.networks, other.networks)


def stairs(step: int, every: int) -> float:
    return 0.5 ** (step // every)


def negative(step: int) -> float:
    return 1.0 - step


class WithoutRate(torch.optim.SGD):
    """Has a rate, and calls it otherwise."""

    def __init__(self, params: object) -> None:
        super().__init__(params, lr=1e-2)  # type: ignore[arg-type]
        for group in self.param_groups:
            group["speed"] = group.pop("lr")

    def step(self, closure: object = None) -> None:
        pass


def own(name: str, *words: str) -> tuple[str, ...]:
    return (f"+schedule._target_={__name__}.{name}", "+schedule._partial_=true", *words)


def test_a_function_of_ones_own_is_a_schedule() -> None:
    experiment = assembled(*TINY_POINTS, *own("stairs", "+schedule.every=2"))
    history = take_steps(experiment, 5)
    rates = [scalars["learning_rate/discriminator"].item() / 2e-4 for scalars in history]
    assert rates == pytest.approx([1, 1, 0.5, 0.5, 0.25])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (own("negative"), r"^schedule at step 2999 must be a number of at least 0, got -2998.0$"),
        (own("stairs"), r"^schedule fails at step 0: .*missing 1 required positional argument: 'every'"),
        (own("stairs", "+schedule.every=0"), r"^schedule fails at step 0: "),
        (("schedule=linear", "schedule.length=0"), r"^schedule: length must be a whole number of at least 1"),
        (
            ("schedule=linear", "~optimizer", f"+optimizer._target_={__name__}.WithoutRate"),
            r"^schedule changes the learning rate lr of an optimizer, and WithoutRate has none$",
        ),
    ],
)
def test_what_is_no_schedule_is_refused_before_a_run(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        assembled(*TINY_POINTS, *words, "++optimizer._partial_=true")
