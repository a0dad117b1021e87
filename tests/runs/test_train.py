"""The training job as Python sees it: what a run leaves, exactness, divergence, and that it learns."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.testing import assert_close

from gan_lab import load
from gan_lab.runs.stats import read_stats
from gan_lab.runs.tags import tag_of
from gan_lab.utils.errors import ConfigurationError, GanLabError
from tests.helpers.cli import call
from tests.helpers.experiments import (
    TINY_IMAGES,
    TINY_POINTS,
    assembled,
    choices,
    take_steps,
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


def events(folder: Path) -> EventAccumulator:
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "histograms": 0})
    reader.Reload()
    return reader


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


def test_a_matched_gain_is_that_of_the_activation() -> None:
    run = train([*TINY_POINTS, *FEW, "initialization=matched", "activation=tanh"])
    # evidence: 1/sqrt(E tanh(z)^2) for a standard normal z
    assert run.status.gains == pytest.approx({"generator": 1.593, "discriminator": 1.593}, abs=1e-3)


def test_one_network_alone_and_parameters_reach_where_they_should() -> None:
    def activations(*overrides: str) -> tuple[str, str]:
        pair = assembled(*TINY_POINTS, *overrides).engine.config.template
        found = []
        for network in (pair.generator, pair.discriminator):
            sites = [m for n, m in network.named_modules() if n.split(".")[-1] == "activation"]
            assert len({id(m) for m in sites}) == len(sites) > 1
            assert len({str(m) for m in sites}) == 1
            found.append(str(sites[0]))
        return found[0], found[1]

    assert activations("activation=elu", "activation.alpha=0.5") == ("ELU(alpha=0.5)",) * 2
    assert activations("activation=elu", "activation@discriminator_activation=relu") == (
        "ELU(alpha=1.0)",
        "ReLU()",
    )
    assert activations("activation=elu", "activation@generator_activation=tanh") == (
        "Tanh()",
        "ELU(alpha=1.0)",
    )
    assert activations() == ("LeakyReLU(negative_slope=0.2)",) * 2


def test_one_optimizer_each() -> None:
    engine = assembled(
        *TINY_POINTS,
        "optimizer@discriminator_optimizer=rmsprop",
        "discriminator_optimizer.lr=0.001",
        "optimizer.lr=0.0001",
    ).engine
    assert engine is not None
    (group,) = engine.groups
    rates = {
        network: (type(optimizer).__name__, optimizer.param_groups[0]["lr"])
        for network, optimizer in group.optimizers.items()
    }
    assert rates == {"generator": ("Adam", 0.0001), "discriminator": ("RMSprop", 0.001)}


@pytest.mark.parametrize("overrides", [TINY_IMAGES, (*TINY_POINTS, "seeds=3")], ids=["images", "points"])
def test_same_configuration_twice_gives_the_same_bits(
    overrides: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bits(where: str) -> dict[str, bytes]:
        (tmp_path / where).mkdir()
        monkeypatch.chdir(tmp_path / where)
        run = train([*overrides, *FEW, "ema=0.9"])
        names = ("stats.jsonl", "generator.safetensors", "samples/step_000006.png")
        return {n: (run.folder / "seed_0" / n).read_bytes() for n in names}

    assert bits("once") == bits("twice")


@pytest.mark.parametrize("engine", ["vmap", "sequential"])
def test_a_longer_run_goes_on_from_a_shorter_one_to_the_same_bits(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = [*TINY_IMAGES, "seeds=2", f"engine={engine}", "ema=0.9", "optimizer=adam"]
    common += [
        "log.every=2",
        "samples.every=2",
        "checkpoint.every=4",
        "metrics.every=2",
        "metrics.samples=30",
    ]
    common += ["diagnostics.every=2", "diagnostics.samples=8"]
    straight = train([*common, "steps=8"])
    straight_bits = {s: (straight.folder / f"seed_{s}/generator.safetensors").read_bytes() for s in (0, 1)}
    straight_stats = read_stats(straight.folder / "seed_1")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    half = train([*common, "steps=4"])
    resumed = train([*common, "steps=8"])
    assert resumed.folder == half.folder
    assert resumed.status.step == 8
    for seed, expected in straight_bits.items():
        assert (resumed.folder / f"seed_{seed}/generator.safetensors").read_bytes() == expected
    assert read_stats(resumed.folder / "seed_1") == straight_stats
    points = events(resumed.folder / "seed_1").Scalars("2_loss/generator")
    assert [p.step for p in points] == [2, 4, 6, 8]
    pictures = events(resumed.folder / "seed_1").Images("samples")
    assert [p.step for p in pictures] == [0, 2, 4, 6, 8]


def test_a_run_with_a_schedule_goes_on_with_more_steps_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*TINY_POINTS, "seeds=2", "log.every=1", "checkpoint.every=2"]
    words += ["schedule=linear", "schedule.end_factor=0.5"]
    straight = train([*words, "schedule.length=4", "steps=6"])
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    half = train([*words, "steps=4"])
    resumed = train([*words, "schedule.length=4", "steps=6"])
    assert resumed.folder.resolve() == half.folder.resolve()
    rates = [line["learning_rate/generator"] for line in read_stats(resumed.folder / "seed_0")]
    assert rates == pytest.approx([2e-4 * factor for factor in (1, 0.875, 0.75, 0.625, 0.5, 0.5)])
    for seed in (0, 1):
        file = f"seed_{seed}/generator.safetensors"
        assert (resumed.folder / file).read_bytes() == (tmp_path / straight.folder / file).read_bytes()
        assert read_stats(resumed.folder / f"seed_{seed}") == read_stats(
            tmp_path / straight.folder / f"seed_{seed}"
        )


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


def test_deterministic_algorithms_are_asked_for_and_are_no_other_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    set_in_torch = torch.use_deterministic_algorithms

    def use(on: bool) -> None:
        asked.append(on)
        set_in_torch(on)

    monkeypatch.setattr(torch, "use_deterministic_algorithms", use)
    first = train([*TINY_POINTS, *FEW])
    assert asked == []  # they are off already, and saying so would import the compiler
    bits = (first.folder / "seed_0/generator.safetensors").read_bytes()
    asked.clear()
    again = train([*TINY_POINTS, *FEW, "deterministic=true", "rerun=true"])
    assert (asked, torch.are_deterministic_algorithms_enabled()) == ([True, False], False)
    assert again.folder == first.folder
    assert (again.folder / "seed_0/generator.safetensors").read_bytes() == bits


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


def test_samples_are_drawn_from_the_same_noise_through_the_run() -> None:
    # A generator that does not learn must draw the same picture at every step.
    run = train(
        [
            *TINY_POINTS,
            *FEW,
            "optimizer=sgd",
            "optimizer.lr=0",
            "model.generator.normalization=none",
        ]
    )
    pictures = [p.read_bytes() for p in (run.folder / "seed_0/samples").glob("step_*.png")]
    assert len(pictures) == 3
    assert len(set(pictures)) == 1


@pytest.mark.parametrize("group", ["activation", "objective", "regularizer", "initialization"])
def test_every_entry_takes_steps_in_both_kinds_of_network(group: str) -> None:
    for name in choices(group):
        for tiny in (TINY_IMAGES, TINY_POINTS):
            assert_learns(f"{group}={name}", *tiny)


def test_every_model_takes_a_step() -> None:
    narrow = ("model.generator.width=4", "model.discriminator.width=4", "batch_size=4")
    for name in choices("model"):
        points = name in ("mlp", "pacgan")
        data = ("dataset=ring", "dataset.size=500") if points else ("dataset=digits", "dataset.size=8")
        assert_learns(f"model={name}", *data, *narrow)


@pytest.mark.parametrize("group", ["augmentation", "optimizer"])
def test_every_entry_takes_steps_on_images(group: str) -> None:
    for name in choices(group):
        assert_learns(f"{group}={name}", *TINY_IMAGES)


def assert_learns(*overrides: str) -> None:
    experiment = assembled(*overrides)
    before = experiment.engine.states()[0].networks
    (numbers,) = take_steps(experiment, 1)
    after = experiment.engine.states()[0].networks
    assert all(n.isfinite().all() for n in numbers.values()), overrides
    assert all(t.isfinite().all() for t in after.values()), overrides
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    parameters = {n for n, _ in experiment.engine.config.template.named_parameters()}
    for player in ("generator", "discriminator"):
        own = {n for n in parameters if n.startswith(player)}
        assert len(own & moved) >= len(own) / 2, (overrides, own - moved)
