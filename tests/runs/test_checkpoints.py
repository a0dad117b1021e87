"""Runs that resume from a damaged checkpoint, and one process per run."""

import json
import shutil

import pytest

from gan_lab.runs.folder import lock_run
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


def test_a_run_that_somebody_else_trains_is_left_alone() -> None:
    words = [*TINY_POINTS, "steps=2", "samples.every=0"]
    run = train(words)
    status = json.loads((run.folder / "status.json").read_text())
    with (
        lock_run(run.folder),
        pytest.raises(GanLabError, match=f"being trained by process {status['process']}"),
    ):
        train([*words[:-2], "steps=4", "samples.every=0"])
    assert train([*words[:-2], "steps=4", "samples.every=0"]).status.step == 4


def test_a_checkpoint_that_was_copied_in_is_refused_until_rerun() -> None:
    words = [*TINY_POINTS, "samples.every=0", "metrics.every=0", "diagnostics.every=0", "steps=2"]
    other = train([*words, "activation=tanh"])
    run = train([*words, "activation=elu"])
    for path in (other.folder / "checkpoint").iterdir():
        shutil.copy(path, run.folder / "checkpoint")
    longer = [*words[:-1], "steps=4", "activation=elu"]
    with pytest.raises(GanLabError, match="is the checkpoint of a run of another configuration"):
        train(longer)
    assert train([*longer, "rerun=true"]).status.step == 4
