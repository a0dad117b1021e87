"""Networks that draw random numbers: each turn is on a stream of seed, player and step."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gan_lab.runs.load import TrainedRun
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, train

COMMON = ("log.every=2", "samples.every=4", "checkpoint.every=0", "discriminator_steps=2", "ema=0.9")
DRAWING = {
    "dropout": ("~activation", "+activation._target_=torch.nn.Dropout", "+activation.p=0.2"),
    "rrelu": ("~activation", "+activation._target_=torch.nn.RReLU"),
}


def words(name: str, *more: str) -> list[str]:
    return [*TINY_POINTS, *DRAWING[name], *COMMON, *more]


def same(ours: Path, theirs: Path, seed: int = 0) -> bool:
    """Whether two runs have the same weights, scalars and scores, to the bit."""
    files = ("generator.safetensors", "stats.jsonl")
    return all(
        (ours / f"seed_{seed}" / f).read_bytes() == (theirs / f"seed_{seed}" / f).read_bytes() for f in files
    )


def disturbed(run: list[str]) -> TrainedRun:
    """Train after somebody has drawn from every global generator."""
    torch.manual_seed(99)
    np.random.seed(99)
    return train(run)


@pytest.mark.parametrize("name", DRAWING)
def test_a_seed_is_the_same_again_alone_and_after_it_was_stopped(name: str) -> None:
    measured = ("metrics.every=4", "metrics.samples=50", "diagnostics.every=4", "diagnostics.samples=16")
    straight = train(words(name, "steps=8", "seeds=2", "study=straight", *measured))
    assert straight.status.engine == "sequential"
    again = disturbed(words(name, "steps=8", "seeds=2", "study=again", *measured))
    alone = disturbed(words(name, "steps=8", "seed=1", "study=alone", *measured))
    train(words(name, "steps=4", "seeds=2", "study=stopped", *measured))
    resumed = disturbed(words(name, "steps=8", "seeds=2", "study=stopped", *measured))
    assert same(again.folder, straight.folder)
    assert same(alone.folder, straight.folder, 1)
    for seed in (0, 1):
        assert same(resumed.folder, straight.folder, seed)
    weights = [(straight.folder / f"seed_{seed}/generator.safetensors").read_bytes() for seed in (0, 1)]
    assert weights[0] != weights[1]
    torch.manual_seed(1)
    first = straight.sample(4, seed=1)
    torch.manual_seed(2)
    assert torch.equal(straight.sample(4, seed=1), first)


@pytest.mark.parametrize("name", DRAWING)
def test_who_only_looks_shifts_no_stream(name: str) -> None:
    looked = ("metrics.every=2", "metrics.samples=50", "diagnostics.every=2", "diagnostics.samples=16")
    watched = train(words(name, "steps=4", "study=watched", *looked))
    unwatched = train(words(name, "steps=4", "study=unwatched"))
    ours, theirs = (run.folder / "seed_0/generator.safetensors" for run in (watched, unwatched))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize("name", DRAWING)
def test_images_draw_from_streams_too(name: str) -> None:
    run = [*TINY_IMAGES, *DRAWING[name], *COMMON, "steps=4", "seeds=2"]
    first, second = train([*run, "study=first"]), disturbed([*run, "study=second"])
    assert same(first.folder, second.folder)
    assert same(first.folder, second.folder, 1)
    train([*run, "study=stopped", "steps=2"])
    assert same(disturbed([*run, "study=stopped"]).folder, first.folder, 1)
