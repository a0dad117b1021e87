"""What auto takes on a GPU, with timings that are made up: the fastest, and it leaves no other trace."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from gan_lab.training import build
from gan_lab.training.build import Experiment
from gan_lab.training.engines import Engine, cuda_graph, trial
from gan_lab.training.engines.choice import Choice, choices_on_trial
from gan_lab.training.engines.trial import ROUNDS, Trial, timer_for
from gan_lab.training.engines.vmapped import VmappedSeeds
from gan_lab.utils.paths import cache_dir
from tests.helpers.capture import Repeating
from tests.helpers.compiling import trace_only
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, take_steps

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
ALL = [Choice(engine, way) for engine in ("vmap", "sequential") for way in ("cuda_graph", "eager")]
# Optimizers that are fused or capturable refuse a CPU when they are captured.
WORDS = (*TINY_POINTS, "seeds=2", "optimizer=sgd", "ema=0.9")


class Timings:
    """A timer of made-up milliseconds per step, in order of `ALL` and then of what is compiled."""

    def __init__(self, *milliseconds: float) -> None:
        self.milliseconds = milliseconds
        self.asked: list[tuple[Choice, int]] = []

    def __call__(self, engine: Engine, step: Callable[[], None], times: int) -> float:
        choice = Choice(engine.config.engine, engine.execution.name)
        self.asked.append((choice, times))
        step()
        ways = [*ALL, Choice("vmap", "compiled"), Choice("sequential", "compiled")]
        return times * self.milliseconds[ways.index(choice)] / 1e3


def refuse(*_: Any) -> float:
    pytest.fail("nothing is to be timed")


@pytest.fixture(autouse=True)
def _captured_without_cuda(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(cuda_graph, "CudaCapture", Repeating)
    caplog.set_level("INFO", logger="gan_lab")


def tried(experiment: Experiment, timer: Any, steps: int = 1000, choices: list[Choice] = ALL) -> Choice:
    states = experiment.engine.states()
    made = Trial(experiment.engine_config, states, experiment.batches(0), steps, timer)
    config = made.fastest(choices)
    return Choice(config.engine, config.execution)


@pytest.mark.parametrize("best", ALL, ids=str)
def test_the_fastest_is_taken_and_what_it_took_is_said(
    best: Choice, caplog: pytest.LogCaptureFixture
) -> None:
    timer = Timings(*(0.25 if choice == best else 0.375 for choice in ALL))
    assert tried(assembled(*WORDS), timer) == best
    assert [choice for choice, times in timer.asked if times > 1] == [c for c in ALL for _ in range(ROUNDS)]
    said = "; ".join(f"{choice} {0.25 if choice == best else 0.375} ms" for choice in ALL)
    assert [record.getMessage() for record in caplog.records] == [
        f"auto: {best}, the fastest here ({said} per step)"
    ]
    assert str(ALL[3]) == "engine=sequential execution=eager"


@pytest.mark.parametrize(
    ("best", "words"),
    [
        *((choice, TINY_POINTS) for choice in ALL),
        # Stacked convolutions are nothing that a CPU's rule takes, and so nothing that it compares.
        *((choice, (*TINY_IMAGES, "augmentation=diffaugment")) for choice in ALL[2:]),
    ],
)
def test_a_run_after_a_trial_has_the_bits_of_a_run_without(
    best: Choice, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*words, *WORDS[len(TINY_POINTS) :], "steps=1000")
    plain = assembled(*words, f"engine={best.engine}")
    random_state = torch.get_rng_state()
    timer = Timings(*(0.25 if choice == best else 0.375 for choice in ALL))
    monkeypatch.setattr(build, "timer_for", lambda device: timer)
    ours = assembled(*words)
    assert timer.asked
    assert (ours.engine_config.engine, ours.execution) == best
    assert torch.equal(torch.get_rng_state(), random_state)
    for one, other in zip(take_steps(ours, 6), take_steps(plain, 6), strict=True):
        assert_close(one, other, rtol=0, atol=0)
    for one, other in zip(ours.engine.states(), plain.engine.states(), strict=True):
        assert_close(one.networks, other.networks, rtol=0, atol=0)
        assert_close(one.average, other.average, rtol=0, atol=0)


def test_what_was_measured_is_used_again_for_the_same_shape_only(caplog: pytest.LogCaptureFixture) -> None:
    tried(assembled(*WORDS), Timings(0.5, 0.4, 0.3, 0.2))
    (path,) = (cache_dir() / "engines").iterdir()
    assert json.loads(path.read_text())["ms"] == pytest.approx(
        dict(zip(map(str, ALL), (0.5, 0.4, 0.3, 0.2), strict=True))
    )
    caplog.clear()
    # Another activation, learning rate and seed, and so few steps that they would not be timed.
    same = assembled(*WORDS, "activation=elu", "optimizer.lr=1e-4", "seed=7")
    assert tried(same, refuse, steps=10) == ALL[3]
    assert "the fastest before" in caplog.text
    for change in ("seeds=3", "batch_size=4", "regularizer=r1"):
        other = Timings(0.1, 0.4, 0.3, 0.2)
        assert tried(assembled(*WORDS, change), other) == ALL[0], change
        assert other.asked, change
    assert len(list((cache_dir() / "engines").iterdir())) == 4
    # Of what is left open by the keys, only what is not known yet is timed.
    assert tried(assembled(*WORDS), refuse, choices=ALL[:2]) == ALL[1]
    content = json.loads(path.read_text())
    del content["ms"][str(ALL[2])]
    path.write_text(json.dumps(content))
    part = Timings(1, 1, 0.1, 1)
    assert tried(assembled(*WORDS), part) == ALL[2]
    assert {choice for choice, _ in part.asked} == {ALL[2]}
    assert json.loads(path.read_text())["ms"][str(ALL[3])] == pytest.approx(0.2)


@pytest.mark.parametrize("content", ["", "[]", '{"shape": {}, "ms": {}}', "cut", None], ids=repr)
def test_a_damaged_file_is_measured_again(content: str | None) -> None:
    experiment = assembled(*WORDS)
    tried(experiment, Timings(0.5, 0.4, 0.3, 0.2))
    (path,) = (cache_dir() / "engines").iterdir()
    if content is None:
        content = path.read_text().replace("0.2", '"none"')
    path.write_text(content)
    timer = Timings(0.5, 0.4, 0.3, 0.2)
    assert tried(experiment, timer) == ALL[3]
    assert timer.asked
    assert tried(experiment, refuse) == ALL[3]


def test_a_folder_that_cannot_be_written_costs_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "file"))
    assert tried(assembled(*WORDS), Timings(0.5, 0.4, 0.3, 0.2)) == ALL[3]


def test_what_is_hopeless_is_timed_for_one_step() -> None:
    timer = Timings(0.2, 0.5, 0.39, 9.0)
    tried(assembled(*WORDS), timer)
    rounds = {choice: sum(times > 1 for one, times in timer.asked if one == choice) for choice in ALL}
    assert rounds == dict(zip(ALL, (ROUNDS, 0, ROUNDS, 0), strict=True))


def test_what_does_not_work_is_left_out_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = partial(Repeating, error=(1, RuntimeError("operation not permitted")))
    monkeypatch.setattr(cuda_graph, "CudaCapture", failing)

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(VmappedSeeds, "gradients", full)
    timer = Timings(0.1, 0.1, 0.1, 0.9)
    experiment = assembled(*WORDS, "engine=sequential")
    config = replace(experiment.engine_config, engine="vmap")
    experiment.engine_config = config
    assert tried(experiment, timer) == ALL[3]
    assert [record.getMessage() for record in caplog.records] == [
        "auto: engine=vmap execution=cuda_graph is left out: CUDA out of memory",
        "auto: engine=vmap execution=eager is left out: CUDA out of memory",
        "execution=cuda_graph: a step cannot be captured, so it is eager: operation not permitted",
        "auto: engine=sequential execution=cuda_graph is left out: its steps are eager",
        "auto: engine=sequential execution=eager, the fastest here "
        "(engine=sequential execution=eager 0.9 ms per step)",
    ]
    # A device that is full today may not be so tomorrow.
    caplog.clear()
    tried(experiment, Timings(0.1, 0.1, 0.1, 0.9))
    assert caplog.text.count("is left out") == 3
    # Where nothing works, the run itself says what is wrong.
    assert tried(experiment, refuse, choices=ALL[:2]) == ("vmap", "eager")


def test_short_runs_are_not_timed_and_only_long_ones_compiled(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # The compiler itself starts processes: `tests/processes/test_compiled.py`.
    trace_only(monkeypatch)
    monkeypatch.setattr("gan_lab.training.engines.compiled._require_compiler", lambda device: None)
    experiment = assembled(*WORDS, "engine=vmap")
    timings = (1.0, 2.0, 3.0, 4.0, 0.5)
    assert tried(experiment, refuse, steps=999) == ("vmap", "eager")
    assert tried(experiment, Timings(*timings), steps=179_999) == ("vmap", "cuda_graph")
    assert tried(experiment, Timings(*timings), steps=180_000) == ("vmap", "compiled")
    assert "engine=vmap execution=compiled, the fastest here" in caplog.text
    assert tried(experiment, refuse, steps=180_000) == ("vmap", "compiled")
    assert tried(experiment, refuse, steps=179_999) == ("vmap", "cuda_graph")
    # Where the key says how a step is executed, only engines are compared.
    assert tried(experiment, refuse, steps=10**9, choices=ALL[1::2]) == ("vmap", "eager")


@pytest.mark.parametrize(
    ("engine", "execution", "changes", "expected"),
    [
        ("auto", "auto", {}, ALL),
        ("auto", "eager", {}, ALL[1::2]),
        ("auto", "cuda_graph", {"execution": "cuda_graph"}, ALL[::2]),
        ("vmap", "auto", {}, ALL[:2]),
        ("sequential", "auto", {"engine": "sequential"}, ALL[2:]),
        # The rule takes no stacked seeds where there is one, or where they cannot be stacked.
        ("auto", "auto", {"engine": "sequential"}, ALL[2:]),
        # What draws random numbers is neither stacked nor captured.
        ("auto", "auto", {"engine": "sequential", "draws": True}, ALL[3:]),
        ("vmap", "eager", {}, ALL[1:2]),
        ("auto", "compiled", {"execution": "compiled"}, []),
    ],
)
def test_what_is_compared(
    engine: str, execution: str, changes: dict[str, Any], expected: list[Choice]
) -> None:
    config = replace(assembled(*WORDS, "engine=vmap").engine_config, **changes)
    assert choices_on_trial(config, engine, execution) == expected


@pytest.mark.parametrize(
    "words", [("deterministic=true",), ("engine=vmap", "execution=eager"), ("execution=compiled",)]
)
def test_nothing_is_timed_where_bits_are_promised_or_the_keys_say_all(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "timer_for", lambda device: refuse)
    trace_only(monkeypatch)
    assert assembled(*WORDS, "steps=1000", *words).engine_config.engine == "vmap"


def test_only_cuda_is_timed() -> None:
    assert timer_for(CPU) is timer_for(torch.device("mps")) is None
    assert timer_for(CUDA) is trial._seconds_on_cuda


def test_seconds_on_cuda_are_those_until_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[object] = []
    clock = iter((10.0, 12.5))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: done.append(device))
    monkeypatch.setattr(trial.time, "perf_counter", lambda: (done.append("time"), next(clock))[1])
    seconds = trial._seconds_on_cuda(assembled(*WORDS).engine, lambda: done.append("step"), 2)
    assert (seconds, done) == (2.5, [CPU, "time", "step", "step", CPU, "time"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_trial_on_cuda(caplog: pytest.LogCaptureFixture) -> None:
    from tests.helpers.experiments import composed, untrained

    cfg = composed(*TINY_POINTS, "seeds=2", "steps=1000")
    untrained(cfg, CUDA)
    assert all(str(choice) in caplog.text for choice in ALL)
    assert "is left out" not in caplog.text
    caplog.clear()
    untrained(cfg, CUDA)
    assert "the fastest before" in caplog.text
