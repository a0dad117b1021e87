"""What auto takes at a run's first step stays, however often the run is resumed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from gan_lab import load
from gan_lab.training import build
from gan_lab.training.batches import Batches
from gan_lab.training.engines import Engine, choice, trial
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.compiling import trace_only
from tests.helpers.experiments import TINY_POINTS, train

COMMON = (*TINY_POINTS, "samples.every=0", "metrics.every=0", "diagnostics.every=0", "log.every=2", "ema=0.9")


def weights(folder: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    return load_file(folder / f"seed_{seed}" / "generator.safetensors")


def test_a_resumed_run_keeps_its_engine_unless_it_is_told_another() -> None:
    straight = train([*COMMON, "steps=6", "study=straight"])
    first = train([*COMMON, "steps=2"])
    assert (first.status.engine, first.status.execution) == ("sequential", "eager")  # of auto, for one seed
    second = train([*COMMON, "steps=4", "engine=vmap"])
    assert second.folder == first.folder
    assert second.status.engine == "vmap"
    third = train([*COMMON, "steps=6"])
    assert third.folder == first.folder
    assert (third.status.engine, third.status.step) == ("vmap", 6)
    assert_close(weights(third.folder), weights(straight.folder), rtol=2e-4, atol=2e-5)


def test_a_run_of_fewer_seeds_than_it_began_with_resumes_to_the_same_bits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = Batches.__call__

    def poisoned(self: Batches, step: int) -> Any:
        """Seed 1 sees no number in its second step."""
        discriminator_batches, generator_batch = original(self, step)
        if step == 1 and 1 in self.seeds:
            discriminator_batches[0].real[self.seeds.index(1)] = float("nan")
        return discriminator_batches, generator_batch

    monkeypatch.setattr(Batches, "__call__", poisoned)
    straight = train([*COMMON, "seeds=2", "steps=6", "study=straight"])
    short = train([*COMMON, "seeds=2", "steps=4"])
    resumed = train([*COMMON, "seeds=2", "steps=6"])
    assert resumed.folder == short.folder
    for run in (straight, short, resumed):
        assert run.status.diverged == {1: 2}
        assert run.status.engine == "vmap"  # with one seed left, a new run would take another
    for seed in (0, 1):
        assert_close(weights(resumed.folder, seed), weights(straight.folder, seed), rtol=0, atol=0)


def test_a_run_that_began_compiled_stays_so_with_the_same_bits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    words = (*COMMON, "seeds=2")
    # The compiler itself starts processes: `tests/processes/test_compiled.py`.
    trace_only(monkeypatch)
    assert train([*words, "steps=2", "study=short"]).status.execution == "eager"
    monkeypatch.setattr(choice, "FEWEST_SEEDS", 2)
    monkeypatch.setattr(choice, "COMPILING_S", 1e-6)
    caplog.set_level("INFO", logger="gan_lab")
    straight = train([*words, "steps=6", "study=straight"])
    assert straight.status.execution == "compiled"
    assert "execution=auto: compiled, as 6 steps repay" in caplog.text
    caplog.clear()
    train([*words, "steps=2"])
    monkeypatch.setattr(choice, "COMPILING_S", 1e6)
    resumed = train([*words, "steps=6"])
    assert resumed.status.execution == "compiled"
    assert caplog.text.count("execution=auto: compiled") == 1  # when it began
    for seed in (0, 1):
        assert_close(weights(resumed.folder, seed), weights(straight.folder, seed), rtol=0, atol=0)
    caplog.clear()
    monkeypatch.setenv("CXX", "no-such-compiler")
    fallen_back = train([*words, "steps=8"])
    assert fallen_back.status.execution == "eager"
    assert "execution=compiled: a step cannot be compiled, so it is eager" in caplog.text
    executions = [sitting.execution for sitting in fallen_back.status.sittings]
    assert executions == ["compiled", "compiled", "eager"]


def test_what_was_timed_is_recorded_and_stays(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def timer(engine: Engine, step: Callable[[], None], times: int) -> float:
        step()
        return times * {"vmap": 0.3, "sequential": 0.2}[engine.config.engine]

    words = (*COMMON, "seeds=2", "execution=eager")  # nothing is captured on a CPU
    caplog.set_level("INFO", logger="gan_lab")
    straight = train([*words, "steps=6", "study=straight", "engine=sequential"])
    monkeypatch.setattr(trial, "FEWEST_STEPS", 1)
    monkeypatch.setattr(build, "timer_for", lambda device: timer)
    short = train([*words, "steps=4"])
    assert "auto: engine=sequential execution=eager, the fastest here" in caplog.text
    assert (short.status.engine, short.status.sittings[0].engine) == ("sequential", "sequential")
    monkeypatch.setattr(build, "timer_for", lambda device: lambda *_: pytest.fail("it was timed before"))
    resumed = train([*words, "steps=6"])
    assert resumed.status.engine == "sequential"
    assert caplog.text.count("the fastest") == 1
    for seed in (0, 1):
        assert_close(weights(resumed.folder, seed), weights(straight.folder, seed), rtol=0, atol=0)
    # The next run of this shape takes what this one has measured.
    assert train([*words, "steps=2", "study=next"]).status.engine == "sequential"
    assert "the fastest before" in caplog.text


def test_a_refused_execution_leaves_a_run_as_it_was() -> None:
    run = train([*COMMON, "steps=2"])
    with pytest.raises(
        ConfigurationError, match=r"^execution=cuda_graph needs a CUDA device, and this is cpu$"
    ):
        train([*COMMON, "steps=4", "device=cpu", "execution=cuda_graph"])
    assert load(run.folder).status.step == 2
    assert train([*COMMON, "steps=4"]).status.step == 4
