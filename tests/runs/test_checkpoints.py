"""Runs that resume from a damaged checkpoint, and one process per run."""

import json
import shutil
import sys
import weakref
from typing import Any

import pytest
from torch import Tensor

from gan_lab.runs import checkpoints
from gan_lab.runs.folder import lock_run
from gan_lab.training import build, run
from gan_lab.utils.errors import GanLabError
from tests.helpers.experiments import TINY_POINTS, train


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one_to_the_same_bits() -> None:
    words = [*TINY_POINTS, "log.every=2", "samples.every=0", "checkpoint.every=2"]
    straight = train([*words, "steps=8", "study=straight"])
    damaged = train([*words, "steps=6", "study=damaged"])
    (damaged.folder / "checkpoint/step_00000006.pt").write_bytes(b"half")
    resumed = train([*words, "steps=8", "study=damaged"])
    for name in ("generator.safetensors", "stats.jsonl"):
        ours, theirs = (run.folder / "seed_0" / name for run in (resumed, straight))
        assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="older Pythons hold arguments until a call returns")
def test_a_resumed_run_holds_its_weights_once(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [*TINY_POINTS, "samples.every=0", "metrics.every=2", "metrics.samples=16", "seeds=2"]
    assert train([*words, "steps=2"]).status.precision == "fp32"
    loaded: list[weakref.ref[Tensor]] = []
    alive: list[int] = []
    load_latest, build_evaluator = checkpoints.load_latest, build.build_evaluator

    def load(*args: Any) -> Any:
        content = load_latest(*args)
        assert content is not None
        for state in content["states"]:
            loaded.extend(weakref.ref(tensor) for tensor in state["networks"].values())
        return content

    def observe(*args: Any) -> Any:
        alive.append(sum(reference() is not None for reference in loaded))
        return build_evaluator(*args)

    monkeypatch.setattr(checkpoints, "load_latest", load)
    monkeypatch.setattr(build, "build_evaluator", observe)
    monkeypatch.setattr(run, "fresh_states", lambda *_: pytest.fail("fresh weights for a run that resumes"))
    train([*words, "steps=4"])
    assert loaded
    assert alive == [0]


def test_a_run_that_somebody_else_trains_is_left_alone() -> None:
    words = [*TINY_POINTS, "steps=2", "samples.every=0"]
    trained = train(words)
    status = json.loads((trained.folder / "status.json").read_text())
    with (
        lock_run(trained.folder),
        pytest.raises(GanLabError, match=f"being trained by process {status['process']}"),
    ):
        train([*words[:-2], "steps=4", "samples.every=0"])
    assert train([*words[:-2], "steps=4", "samples.every=0"]).status.step == 4


def test_a_checkpoint_that_was_copied_in_is_refused_until_rerun() -> None:
    words = [*TINY_POINTS, "samples.every=0", "metrics.every=0", "diagnostics.every=0", "steps=2"]
    other = train([*words, "activation=tanh"])
    trained = train([*words, "activation=elu"])
    for path in (other.folder / "checkpoint").iterdir():
        shutil.copy(path, trained.folder / "checkpoint")
    longer = [*words[:-1], "steps=4", "activation=elu"]
    with pytest.raises(GanLabError, match="is the checkpoint of a run of another configuration"):
        train(longer)
    assert train([*longer, "rerun=true"]).status.step == 4
