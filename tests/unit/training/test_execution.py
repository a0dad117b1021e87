"""Which engine and execution a run takes, steps that are captured, and the device that states move to."""

import copy
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from gan_lab.gan.steps import GAN
from gan_lab.training.engines import Engine, Work, choose_engine, choose_execution, cuda_graph
from gan_lab.training.engines.cuda_graph import WARMUP_STEPS, CudaCapture, CudaGraphStep
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.capture import Repeating
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, composed, take_steps, untrained

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
POINTS, IMAGES = nn.Linear(2, 2), nn.Sequential(nn.Conv2d(1, 1, 3))


@pytest.mark.parametrize(
    ("network", "device", "num_seeds", "recorded", "expected"),
    [
        (POINTS, CPU, 1, None, "sequential"),
        (POINTS, CPU, 2, None, "vmap"),
        (IMAGES, CPU, 2, None, "sequential"),
        (IMAGES, CUDA, 2, None, "vmap"),
        (IMAGES, CUDA, 1, None, "sequential"),
        # What a run chose at its first step stays, whatever has become of its seeds.
        (POINTS, CPU, 1, "vmap", "vmap"),
        (POINTS, CPU, 2, "sequential", "sequential"),
    ],
)
def test_auto_takes_the_fastest_engine_and_keeps_it(
    network: nn.Module, device: torch.device, num_seeds: int, recorded: str | None, expected: str
) -> None:
    assert choose_engine("auto", network, device, num_seeds, recorded) == expected
    for name in ("sequential", "vmap"):
        assert choose_engine(name, network, device, num_seeds, recorded) == name


def test_auto_executes_eagerly_without_work_and_keeps_what_is_recorded_where_it_works() -> None:
    assert choose_execution("auto", CPU) == choose_execution("auto", CUDA) == "eager"
    assert choose_execution("auto", CUDA, "cuda_graph") == "cuda_graph"
    assert choose_execution("auto", CPU, "compiled") == "compiled"
    assert choose_execution("auto", CPU, "cuda_graph") == "eager"
    assert choose_execution("eager", CUDA, "cuda_graph") == "eager"
    assert choose_execution("cuda_graph", CUDA, "eager") == "cuda_graph"
    with pytest.raises(
        ConfigurationError, match=r"^execution=cuda_graph needs a CUDA device, and this is cpu$"
    ):
        choose_execution("cuda_graph", CPU)


LAYERS = [nn.Linear(2, 2) for _ in range(14)]
RING = Work(nn.Sequential(*LAYERS), "vmap", torch.float32, num_seeds=8, turns=70_000)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "compiled"),
        ({"num_seeds": 64}, "compiled"),
        ({"turns": 20_000}, "eager"),  # experiment=activations_on_ring
        ({"turns": 6_000}, "eager"),  # the default number of steps
        ({"turns": 60_000}, "eager"),
        ({"num_seeds": 7}, "eager"),
        ({"engine": "sequential"}, "eager"),
        ({"precision": torch.bfloat16}, "eager"),
        ({"draws": True}, "eager"),
        ({"template": nn.Sequential(*LAYERS, nn.Conv2d(1, 1, 3))}, "eager"),
        ({"template": nn.Sequential(*LAYERS[:7], *(nn.Identity() for _ in range(7)))}, "eager"),
        ({"template": nn.Sequential(*LAYERS[:7]), "turns": 140_000}, "compiled"),
    ],
    ids=repr,
)
def test_auto_compiles_on_a_cpu_where_it_repays(
    changes: dict[str, Any], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", sys.executable)  # there is one, whatever it is
    work = replace(RING, **changes)
    assert choose_execution("auto", CPU, work=work) == expected
    assert choose_execution("auto", CUDA, work=work) == "eager"
    for recorded in ("eager", "compiled"):
        assert choose_execution("auto", CPU, recorded, work) == recorded
    assert choose_execution("eager", CPU, work=work) == "eager"
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert choose_execution("auto", CPU, work=work) == "eager"


@pytest.mark.parametrize(("engine", "num_graphs"), [("vmap", 1), ("sequential", 2)])
@pytest.mark.parametrize("overrides", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_captured_steps_give_the_same_numbers(
    overrides: tuple[str, ...], engine: str, num_graphs: int
) -> None:
    capture = Repeating()
    ours, theirs = (assembled(*overrides, "seeds=2", f"engine={engine}", "ema=0.9") for _ in range(2))
    # Built by itself, because the key asks for CUDA, and optimizers that are capturable refuse a CPU.
    for group in ours.engine.groups:
        for optimizer in group.optimizers.values():
            assert not any(options["capturable"] for options in optimizer.param_groups)
    steps = {
        player: [CudaGraphStep(step, capture) for step in steps]
        for player, steps in ours.engine.steps.items()
    }
    ours.engine.steps = steps
    history, expected = take_steps(ours, WARMUP_STEPS + 3), take_steps(theirs, WARMUP_STEPS + 3)
    assert [len(captured) for captured in steps.values()] == [num_graphs, num_graphs]
    assert all(step.graph is not None for captured in steps.values() for step in captured)
    assert (capture.warmed_up, capture.captured) == (2 * num_graphs * WARMUP_STEPS, 2 * num_graphs)
    for one, other in zip(history, expected, strict=True):
        assert_close(one, other, rtol=0, atol=0)
    for one, other in zip(ours.engine.states(), theirs.engine.states(), strict=True):
        assert_close(one.networks, other.networks, rtol=0, atol=0)
        assert_close(one.average, other.average, rtol=0, atol=0)


def test_a_step_that_cannot_be_captured_is_eager_and_gives_the_same_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours, theirs = (assembled(*TINY_POINTS, "seeds=2", "engine=sequential") for _ in range(2))
    cause = RuntimeError("operation not permitted")
    ended = RuntimeError("capture invalidated")
    ended.__context__ = cause
    capture = Repeating(error=(2, ended))
    steps = {
        player: [CudaGraphStep(step, capture) for step in steps]
        for player, steps in ours.engine.steps.items()
    }
    ours.engine.steps = steps
    for one, other in zip(
        take_steps(ours, WARMUP_STEPS + 3), take_steps(theirs, WARMUP_STEPS + 3), strict=True
    ):
        assert_close(one, other, rtol=0, atol=0)
    # The first one had been captured; those behind the one that failed are not tried.
    graphs = [step.graph is not None for player in ("discriminator", "generator") for step in steps[player]]
    assert graphs == [True, False, False, False]
    assert capture.captured == 2
    assert [record.getMessage() for record in caplog.records] == [
        "execution=cuda_graph: a step cannot be captured, so it is eager: operation not permitted"
    ]


def test_an_engine_whose_capture_has_failed_says_that_it_is_eager(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = partial(Repeating, error=(1, RuntimeError("operation not permitted")))
    monkeypatch.setattr(cuda_graph, "CudaCapture", failing)
    experiment = assembled(*TINY_POINTS, "seeds=2", "optimizer=sgd")
    config = replace(experiment.engine.config, execution="cuda_graph")
    experiment.engine = Engine(config, experiment.engine.states())
    take_steps(experiment, WARMUP_STEPS)
    assert experiment.execution == "cuda_graph"
    take_steps(experiment, 1)
    assert experiment.execution == "eager"
    assert experiment.engine.description == "vmap, eager"
    # Seeds that are left over are not captured again.
    assert experiment.engine.select(experiment.engine.states()[:1]).config.execution == "eager"


def test_steps_are_warmed_up_and_captured_on_one_stream_with_one_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is asked of CUDA, in order; a device must show that it does it."""
    asked: list[object] = []
    device = torch.device("cuda", 1)

    class Stream:
        def __init__(self, name: object) -> None:
            self.name, self.device = name, device

        def wait_stream(self, other: "Stream") -> None:
            asked.append((self.name, "waits for", other.name))

    @contextmanager
    def on(stream: Stream) -> Iterator[None]:
        asked.append(("on", stream.name))
        yield

    @contextmanager
    def graph(made: object, pool: object, stream: Stream, capture_error_mode: str) -> Iterator[None]:
        asked.append((made, pool, stream.name, capture_error_mode))
        yield

    pools = iter(("pool", "another pool"))
    monkeypatch.setattr(torch.cuda, "Stream", lambda wanted: Stream(("side", wanted)))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda wanted: Stream(("current", wanted)))
    monkeypatch.setattr(torch.cuda, "stream", on)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: next(pools))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: "graph")
    capture = CudaCapture(device)
    with capture.warming_up():
        asked.append("a step")
    side, current = ("side", device), ("current", device)
    assert asked == [(side, "waits for", current), ("on", side), "a step", (current, "waits for", side)]
    asked.clear()
    output = torch.zeros(1)
    assert [capture(lambda: output).output is output for _ in range(2)] == [True, True]
    assert asked == [("graph", "pool", side, "thread_local")] * 2


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_graphs_get_optimizers_that_can_be_captured(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graph, "CudaCapture", Repeating)
    made = assembled(*TINY_POINTS, "seeds=2", f"engine={engine}").engine
    captured = Engine(replace(made.config, execution="cuda_graph"), made.states())
    assert all(isinstance(step, CudaGraphStep) for steps in captured.steps.values() for step in steps)
    assert all(
        options["capturable"] for optimizer in captured.optimizers for options in optimizer.param_groups
    )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("engine", ["vmap", "sequential"])
@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("overrides", [TINY_POINTS, TINY_IMAGES], ids=["points", "images"])
def test_cuda_graphs_give_the_same_numbers(overrides: tuple[str, ...], seeds: int, engine: str) -> None:
    words = (*overrides, f"seeds={seeds}", "ema=0.9", f"engine={engine}")
    ours = untrained(composed(*words, "execution=cuda_graph"), CUDA)
    theirs = untrained(composed(*words, "execution=eager"), CUDA)
    for one, other in zip(
        take_steps(ours, WARMUP_STEPS + 5), take_steps(theirs, WARMUP_STEPS + 5), strict=True
    ):
        assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter.*:UserWarning")
@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_all_state_moves_to_the_device(engine: str) -> None:
    """The meta device stands in for a GPU: it computes nothing, and refuses to mix with the CPU."""
    meta = torch.device("meta")
    trained = assembled(*TINY_IMAGES, "seeds=2", f"engine={engine}", "ema=0.9", "optimizer.fused=false")
    take_steps(trained, 1)
    states = trained.engine.states()
    moved = Engine(replace(trained.engine.config, device=meta), states)
    assert moved.generate(torch.empty(2, 4, 8, device=meta)).device == meta
    for ours, theirs in zip(moved.states(), states, strict=True):
        for tensors, expected in ((ours.networks, theirs.networks), (ours.average, theirs.average)):
            assert {name: (t.device, t.shape) for name, t in tensors.items()} == {
                name: (meta, t.shape) for name, t in expected.items()
            }
        for name, values in ours.optimizers.items():
            assert values.keys() == theirs.optimizers[name].keys()
            # The count is read at every step, by Python: it must not wait for the device.
            assert {key: value.device.type for key, value in values.items()} == {
                key: "cpu" if key == "step" else "meta" for key in values
            }


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_states_are_copied_into_an_engine(engine: str) -> None:
    trained = assembled(*TINY_POINTS, "seeds=2", f"engine={engine}", "ema=0.9")
    take_steps(trained, 1)
    states = trained.engine.states()
    before = copy.deepcopy(states)
    trained.engine = trained.engine.select(states)
    take_steps(trained, 2)
    assert_close([vars(state) for state in states], [vars(state) for state in before], rtol=0, atol=0)


class Tied(nn.Module):
    """Two layers with one weight, and a buffer that no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight
        self.register_buffer("shift", torch.full((3,), 0.5), persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        return self.second(torch.tanh(self.first(z)) + self.shift)[:, :2]


@pytest.mark.parametrize("ema", ["null", "0.9"])
@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_tied_weights_and_buffers_beside_the_state_dict_survive(engine: str, ema: str) -> None:
    plain = assembled(*TINY_POINTS, "seeds=2", f"engine={engine}", f"ema={ema}")
    torch.manual_seed(0)
    template = GAN(Tied(), plain.engine.config.template.discriminator)
    config = replace(plain.engine.config, template=template)
    states = plain.engine.states()
    for state in states:
        state.networks = {name: t.clone() for name, t in template.state_dict().items()}
        state.optimizers, state.average = {}, {}
    plain.engine = Engine(config, states)
    take_steps(plain, 2)
    again = plain.engine.select(plain.engine.states())
    latent = torch.randn(2, 5, 3)
    assert_close(again.generate(latent), plain.engine.generate(latent), rtol=0, atol=0)
    network = Tied()
    network.load_state_dict(again.states()[1].generator)
    assert_close(network(latent[1]), again.generate(latent)[1])
