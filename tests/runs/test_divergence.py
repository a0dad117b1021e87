"""Seeds whose loss or weights stop being finite are taken out, and the others train on."""

import re
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from gan_lab.runs.stats import read_stats
from tests.helpers.cli import call
from tests.helpers.experiments import (
    TINY_POINTS,
    train,
)

FEW = ("steps=6", "log.every=2", "samples.every=3", "checkpoint.every=2")


def test_a_seed_that_diverges_is_frozen_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    common = [*TINY_POINTS, "steps=12", "log.every=4", "samples.every=12", "seeds=3"]
    calm = train([*common, "study=calm"])

    from gan_lab.training.batches import Batches

    original = Batches.__call__

    def poisoned(self: Batches, step: int) -> Any:
        reals, last = original(self, step)
        if step == 6 and 1 in self.seeds:  # the seventh step, of seed 1 only
            index = self.seeds.index(1)
            reals[0].real[index] = float("nan")
        return reals, last

    with monkeypatch.context() as patch:
        patch.setattr(Batches, "__call__", poisoned)
        run = train([*common, "study=poisoned"])
    assert run.status.state == "finished"
    assert run.status.diverged == {1: 7}
    for seed in (0, 2):
        ours = load_file(run.folder / f"seed_{seed}/generator.safetensors")
        theirs = load_file(calm.folder / f"seed_{seed}/generator.safetensors")
        assert_close(ours, theirs, rtol=2e-4, atol=2e-5)
    # The last good state is the one of the last step that was looked at before: 4.
    kept = load_file(run.folder / "seed_1/generator.safetensors")
    assert all(tensor.isfinite().all() for tensor in kept.values())
    short = train([*common, "study=short", "steps=4", "log.every=4", "engine=vmap"])
    assert_close(kept, load_file(short.folder / "seed_1/generator.safetensors"), rtol=2e-4, atol=2e-5)
    assert [line["step"] for line in read_stats(run.folder / "seed_1")] == [4]


def test_a_run_whose_seeds_all_diverge_says_so() -> None:
    run = train([*TINY_POINTS, *FEW, "optimizer=sgd", "optimizer.lr=1e30", "objective=least_squares"])
    assert run.status.state == "diverged"
    assert set(run.status.diverged) == {0}
    assert all(t.isfinite().all() for t in run.generator().state_dict().values())


@pytest.mark.parametrize("target", ["nans.Nan", "torch.nn.LeakyReLU\nnegative_slope: .nan"])
def test_an_activation_that_returns_nan_diverges(target: str, tmp_path: Path) -> None:
    Path("nans.py").write_text(
        "from torch import nn\nclass Nan(nn.Module):\n    def forward(self, x): return x * float('nan')\n"
    )
    folder = Path("mine/activation")
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text(f"_target_: {target}\n")
    words = ("train", "--config-dir", "mine", *TINY_POINTS, *FEW, "activation=own")
    code, out, err = call(*words, PYTHONPATH=str(tmp_path))
    assert code == 0, err
    assert re.search("diverged: [12] steps, 1 seed", out)
    assert "Traceback" not in err
