"""The same configuration gives the same bits: twice, in several sittings, and at every picture."""

from pathlib import Path

import pytest
import torch

from gan_lab.runs.stats import read_stats
from tests.helpers.events import events
from tests.helpers.experiments import (
    TINY_IMAGES,
    TINY_POINTS,
    train,
)

FEW = ("steps=6", "log.every=2", "samples.every=3", "checkpoint.every=2")


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
