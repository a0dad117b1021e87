"""``keep_best=true``: the generator that scored best beside the last one, exact also after a stop."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from gan_lab.runs.load import TrainedRun
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.cli import call
from tests.helpers.experiments import TINY_POINTS, train

BEST = "generator_best.safetensors"
WORDS = (
    *TINY_POINTS,
    *("seeds=2", "optimizer.lr=1e-2", "ema=0.5", "samples.every=0", "log.every=2"),
    *("metrics.every=2", "metrics.samples=40", "metric=[sliced_wasserstein]", "checkpoint.every=4"),
)
KEPT = (*WORDS, "keep_best=true")
Trained = Callable[..., TrainedRun]


def best_step(folder: Path) -> int:
    results = json.loads((folder / "results.json").read_text())
    step: int = results["metrics"][results["primary"]]["best_step"]
    return step


@pytest.fixture
def kept(trained: Trained) -> TrainedRun:
    return trained(*KEPT, "steps=12")


def test_it_is_the_last_generator_of_a_run_that_ends_there(kept: TrainedRun) -> None:
    steps = {seed: best_step(kept.folder / f"seed_{seed}") for seed in (0, 1)}
    assert any(step < 12 for step in steps.values()), "another learning rate would make this test see more"
    for seed, step in steps.items():
        shorter = train([*WORDS, f"steps={step}", f"study=until_{step}"])
        expected = load_file(shorter.folder / f"seed_{seed}" / "generator.safetensors")
        assert_close(load_file(kept.folder / f"seed_{seed}" / BEST), expected, rtol=0, atol=0)
        assert not (shorter.folder / f"seed_{seed}" / BEST).exists()
        about = kept.about_best(seed)
        results = json.loads((kept.folder / f"seed_{seed}/results.json").read_text())
        score = results["metrics"][results["primary"]]
        assert about == {"step": step, "metric": results["primary"], "score": score["best"]}
        assert_close(kept.sample(5, seed, best=True), shorter.sample(5, seed), rtol=0, atol=0)


def test_it_changes_nothing_else(kept: TrainedRun) -> None:
    plain = train([*WORDS, "steps=12", "study=plain"])
    assert plain.folder.name == kept.folder.name
    for seed in ("seed_0", "seed_1"):
        for name in ("generator.safetensors", "stats.jsonl", "results.json"):
            assert (plain.folder / seed / name).read_bytes() == (kept.folder / seed / name).read_bytes()


@pytest.mark.parametrize("steps", [4, 6, 10])
def test_a_run_that_goes_on_keeps_the_same_one(kept: TrainedRun, steps: int) -> None:
    train([*KEPT, f"steps={steps}", "study=resumed"])
    resumed = train([*KEPT, "steps=12", "study=resumed"])
    for seed in ("seed_0", "seed_1"):
        assert (resumed.folder / seed / BEST).read_bytes() == (kept.folder / seed / BEST).read_bytes()


def test_after_a_kill_there_is_none_from_a_future_that_is_gone(kept: TrainedRun) -> None:
    """The file may be newer than the checkpoint that a run is resumed from, here by hand."""
    run = train([*KEPT, "steps=4", "study=killed"])
    for seed in ("seed_0", "seed_1"):
        (run.folder / seed / BEST).write_bytes((kept.folder / seed / BEST).read_bytes())
    shorter = train([*KEPT, "steps=6", "study=shorter"])
    resumed = train([*KEPT, "steps=6", "study=killed"])
    for seed in ("seed_0", "seed_1"):
        assert (resumed.folder / seed / BEST).read_bytes() == (shorter.folder / seed / BEST).read_bytes()


def test_scores_that_are_made_otherwise_are_not_compared() -> None:
    train([*KEPT, "steps=6"])
    resumed = train([*KEPT, "steps=8", "metrics.samples=30"])
    for seed in (0, 1):
        assert resumed.about_best(seed)["step"] == best_step(resumed.folder / f"seed_{seed}") == 8


def test_a_run_that_no_longer_keeps_it_hands_it_on() -> None:
    first = train([*KEPT, "steps=6"])
    before = {seed: first.about_best(seed) for seed in (0, 1)}
    train([*WORDS, "steps=8"])
    again = train([*KEPT, "steps=10"])
    for seed, about in before.items():
        assert again.about_best(seed)["score"] <= about["score"]
    content = torch.load(sorted((again.folder / "checkpoint").glob("*.pt"))[-1], weights_only=True)
    assert [one["seed"] for one in content["best"]] == [0, 1]


def test_a_picture_of_it(kept: TrainedRun) -> None:
    code, out, err = call("sample", str(kept.folder), "--best", "--seed", "1")
    assert (code, out) == (0, f"{kept.folder}/seed_1/samples_best_0.png\n")
    assert err.startswith("best of seed 1: sliced_wasserstein ")
    assert err.endswith(f" at step {best_step(kept.folder / 'seed_1')}\n")
    code, out, _ = call("sample", str(kept.folder), "--best", "--interpolate")
    assert (code, out) == (0, f"{kept.folder}/seed_0/interpolation_best_0.png\n")
    (kept.folder / "seed_0" / BEST).unlink()
    code, _, err = call("sample", str(kept.folder), "--best")
    assert code == 2
    assert "has no best generator: a run keeps it with keep_best=true" in err


def test_without_scores_there_is_no_best() -> None:
    with pytest.raises(
        ConfigurationError, match=r"^keep_best=true needs scores: metrics.every must be above 0"
    ):
        train([*KEPT, "metrics.every=0"])
