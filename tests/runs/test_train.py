"""The training job as Python sees it: what a run leaves, in which folder, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from gan_lab import load
from gan_lab.runs.stats import read_stats
from gan_lab.runs.tags import tag_of
from gan_lab.utils.errors import ConfigurationError, GanLabError
from tests.helpers.events import events
from tests.helpers.experiments import (
    TINY_IMAGES,
    TINY_POINTS,
    train,
)

FEW = ("steps=6", "log.every=2", "samples.every=3", "checkpoint.every=2")
MEASURED = (
    *("metrics.every=6", "metrics.samples=40"),
    *("diagnostics.every=6", "diagnostics.samples=8"),
)
NUMBERS = {
    "loss/discriminator",
    "loss/generator",
    "loss/penalty",
    "logits/real",
    "logits/fake",
    "probability/real",
    "probability/fake",
    "accuracy/real",
    "accuracy/fake",
    "accuracy/discriminator",
}


def test_a_run_leaves_what_the_design_promises() -> None:
    run = train(
        [
            *(*TINY_IMAGES, *FEW, *MEASURED, "activation=elu", "seeds=2", "study=mine"),
            *("log.histograms=true", "log.layers=true"),
        ]
    )
    assert run.folder.parent == Path("outputs/mine")
    assert run.folder.name.startswith("activation=elu,")
    status = json.loads((run.folder / "status.json").read_text())
    assert (status["state"], status["step"], status["seeds"]) == ("finished", 6, [0, 1])
    assert status["choices"]["activation"] == "elu"
    assert status["versions"]["torch"] == torch.__version__.split("+")[0]
    assert OmegaConf.load(run.folder / "config.yaml").activation._target_ == "torch.nn.ELU"
    assert sorted(p.name for p in (run.folder / "checkpoint").glob("*.pt")) == [
        "step_00000004.pt",
        "step_00000006.pt",
    ]
    for seed in (0, 1):
        folder = run.folder / f"seed_{seed}"
        lines = read_stats(folder)
        assert [line["step"] for line in lines] == [0, 2, 4, 6]
        assert set(lines[1]) == {"step", *NUMBERS}
        measured = set(lines[3]) - set(lines[1])
        assert {name.split("/")[0] for name in measured} == {"metrics", "diagnostics"}
        assert set(lines[0]) - {"step"} <= measured
        assert sorted(p.name for p in (folder / "samples").iterdir()) == [
            "real.png",
            "step_000000.png",
            "step_000003.png",
            "step_000006.png",
        ]
        tags = events(folder).Tags()
        assert set(tags["scalars"]) == {
            *(tag_of(name, "kid") for name in NUMBERS | measured),
            "9_speed/steps_per_second",
        }
        assert sorted(tags["scalars"])[0] == "1_score/kid"
        assert sorted(tags["images"]) == ["real", "samples"]
        assert any(t.startswith("weights/generator/") for t in tags["histograms"])
        assert any(t.startswith("gradients/discriminator/") for t in tags["histograms"])
        assert "configuration/text_summary" in tags["tensors"]
        point = events(folder).Scalars("2_loss/generator")[1]
        assert (point.step, pytest.approx(point.value, rel=1e-6)) == (4, lines[2]["loss/generator"])
        weights = load_file(folder / "generator.safetensors")
        assert all(tensor.isfinite().all() for tensor in weights.values())


def test_a_finished_run_is_answered_at_once_and_rerun_puts_it_aside() -> None:
    first = train([*TINY_POINTS, *FEW])
    stamp = (first.folder / "seed_0/generator.safetensors").stat().st_mtime_ns
    again = train(["steps=5", *(o for o in (*TINY_POINTS, *FEW) if not o.startswith("steps"))])
    assert again.folder == first.folder
    assert (again.folder / "seed_0/generator.safetensors").stat().st_mtime_ns == stamp
    anew = train([*TINY_POINTS, *FEW, "rerun=true"])
    assert anew.folder == first.folder
    assert (anew.folder / "seed_0/generator.safetensors").stat().st_mtime_ns > stamp
    (aside,) = first.folder.parent.glob("*.before-*")
    assert (aside / "seed_0/generator.safetensors").stat().st_mtime_ns == stamp


def test_any_other_key_is_another_run_and_the_order_of_words_is_not() -> None:
    first = train([*TINY_POINTS, *FEW, "activation=tanh"])
    same = train(["activation=tanh", *FEW, *TINY_POINTS, "batch_size=8"])
    other = train([*TINY_POINTS, *FEW, "activation=tanh", "discriminator_steps=2"])
    assert same.folder == first.folder
    assert other.folder != first.folder


def test_a_given_folder_is_obeyed_and_not_shared_by_another_configuration(tmp_path: Path) -> None:
    own = [*TINY_POINTS, *FEW, f"hydra.run.dir={tmp_path / 'here'}"]
    assert train(own).folder == tmp_path / "here"
    with pytest.raises(ConfigurationError, match="holds a run of another configuration"):
        train([*own, "activation=tanh"])


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["steps=0"], "steps must be a whole number of at least 1, got 0"),
        (["device=toaster"], "device must be auto, cpu, cuda"),
        (["+activation.slope=1"], "activation"),
        (["study=../escape"], "study must be a name"),
        (["engine=warp"], "engine must be one of auto, sequential, vmap, got 'warp'"),
        (["engine=side_by_side"], "engine must be one of auto, sequential, vmap, got 'side_by_side'"),
        (
            ["execution=captured"],
            "execution must be one of auto, eager, compiled, cuda_graph, got 'captured'",
        ),
        (["+activation._target_=torch.nn.Nothing"], "activation"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(overrides: list[str], sentence: str) -> None:
    plus = [o if not o.startswith("+activation._t") else o[1:] for o in overrides]
    with pytest.raises(GanLabError) as caught:
        train([*TINY_POINTS, *FEW, *plus])
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(Path("outputs").rglob("status.json"))


def test_samples_and_interpolations_of_a_loaded_run() -> None:
    run = train([*TINY_IMAGES, *FEW, "seeds=2"])
    again = load(run.folder)
    samples = again.sample(5)
    assert samples.shape == (5, 1, 8, 8)
    assert samples.abs().max() <= 1
    assert torch.equal(samples, again.sample(5, seed=0, noise=0))
    assert not torch.equal(samples, again.sample(5, seed=1))
    assert not torch.equal(samples, again.sample(5, noise=1))
    between = again.interpolate(9)
    assert between.shape == (9, 1, 8, 8)
    with pytest.raises(GanLabError, match=r"has no seed 7; it has 0, 1"):
        again.sample(1, seed=7)
    with pytest.raises(GanLabError, match=r"is not the folder of a run"):
        load("nowhere")
