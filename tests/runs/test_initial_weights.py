"""Runs that start from the weights of another run: what is taken, said and remembered, and exact resuming."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from gan_lab.runs.checkpoints import save
from gan_lab.runs.load import TrainedRun
from gan_lab.runs.stats import read_stats
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.cli import call
from tests.helpers.experiments import TINY_POINTS, assembled, train

FEW = ("steps=4", "log.every=1", "samples.every=0", "checkpoint.every=2")
SOURCE = (*TINY_POINTS, *FEW, "seeds=2", "study=source", "ema=0.5")
OWN = (*TINY_POINTS, *FEW, "study=own", "ema=0.9")
Trained = Callable[..., TrainedRun]


@pytest.fixture
def source(trained: Trained) -> Path:
    """A run whose averaged weights are others than those that were trained."""
    return trained(*SOURCE).folder


def checkpoint(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(sorted((folder / "checkpoint").glob("*.pt"))[-1], weights_only=True)
    return content


def test_each_seed_starts_from_the_same_seed_of_a_run(source: Path) -> None:
    experiment = assembled(*OWN, "seeds=2", f"init_from='{source}'")
    for state, expected in zip(experiment.engine.states(), checkpoint(source)["states"], strict=True):
        assert_close(state.networks, expected["networks"], rtol=0, atol=0)
        assert not state.optimizers
        generator = {n.partition(".")[2]: t for n, t in state.networks.items() if n.startswith("generator.")}
        assert_close(state.average, generator, rtol=0, atol=0)


def test_a_run_says_what_it_took_and_resumes_to_the_same_bits(
    source: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, _, err = call("train", *OWN, "seeds=2", f"init_from={source}", "activation=tanh")
    assert code == 0, err
    assert f"generator: 8 of 8 tensors (init_from={source})" in err
    (status,) = Path("outputs/own").glob("*/status.json")
    straight = status.parent.resolve()
    assert straight.name.startswith("activation=tanh,")
    # In another folder, with the source elsewhere, pruned, and in two parts.
    shutil.copytree(source, tmp_path / "moved")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "there")
    half = train([*OWN, "seeds=2", "init_from=../moved", "activation=tanh", "steps=2"])
    shutil.rmtree(tmp_path / "moved" / "checkpoint")
    resumed = train([*OWN, "seeds=2", "init_from=../moved", "activation=tanh"])
    assert resumed.folder == half.folder
    assert resumed.folder.name.rpartition("-")[2] == straight.name.rpartition("-")[2]
    assert resumed.status.initial_weights == dict.fromkeys(("generator", "discriminator"), "8 of 8 tensors")
    for seed in ("seed_0", "seed_1"):
        assert read_stats(resumed.folder / seed) == read_stats(straight / seed)
        file = f"{seed}/generator.safetensors"
        assert (resumed.folder / file).read_bytes() == (straight / file).read_bytes()
    with pytest.raises(ConfigurationError, match=r"moved: this run has no checkpoint, which would hold both"):
        train([*OWN, "seeds=2", "init_from=../moved", "activation=relu"])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content.pop("states"), "its checkpoint is not one of gan-lab's"),
        (lambda content: content["states"][0].pop("networks"), "its checkpoint is not one of gan-lab's"),
        (
            lambda content: content["states"][0]["networks"].update(x=1),
            "its checkpoint holds more than weights",
        ),
        (
            lambda content: content.update(step=2),
            "its last checkpoint is of step 2, and it was trained to step 4",
        ),
    ],
)
def test_a_checkpoint_of_somebody_elses_making_is_refused(
    source: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    content = checkpoint(source)
    change(content)
    shutil.rmtree(source / "checkpoint")
    rest = {key: value for key, value in content.items() if key not in ("format", "identity", "step")}
    save(source / "checkpoint", content["step"], content["identity"], rest, 2)
    with pytest.raises(ConfigurationError, match=sentence):
        train([*OWN, "seeds=2", f"init_from={source}"])


def test_seeds_that_the_source_does_not_have_are_refused(source: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has seeds 0, 1, and this run has a seed 2, too$"):
        train([*OWN, "seeds=3", f"init_from={source}"])
    assert not Path("outputs/own").exists()


@pytest.mark.parametrize("inside", [".", "seed_0/generator.safetensors"])
def test_a_run_does_not_start_from_its_own_folder(source: Path, inside: str) -> None:
    """With rerun=true the source would be archived before it is read."""
    before = (source / "status.json").read_bytes()
    code, _, err = call(
        "train", *SOURCE, f"init_from={source / inside}", f"hydra.run.dir='{source}'", "rerun=true"
    )
    assert code == 2
    assert "lies in the folder of the run that is to start from it: take another hydra.run.dir" in err
    assert (source / "status.json").read_bytes() == before
    assert (source / "seed_1/generator.safetensors").exists()
    assert not list(source.parent.glob("*before*"))


def test_a_source_that_went_on_training_makes_another_run(source: Path) -> None:
    first = train([*OWN, f"init_from={source}", "seeds=2", "steps=1"])
    train([*SOURCE, "steps=5"])
    second = train([*OWN, f"init_from={source}", "seeds=2", "steps=1"])
    assert first.folder != second.folder
