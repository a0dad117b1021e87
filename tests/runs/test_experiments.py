"""Every study that ships: it composes, builds, and takes a step in every combination that it sweeps over."""

import itertools
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices, take_steps, untrained

# Data that would have to be downloaded give way to digits of the same size: the study's own keys stay.
SAME_SIZE = {"mnist": 28, "cifar10": 32}


def composed(name: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        return compose("train", overrides=[f"experiment={name}", *overrides], return_hydra_config=True)


def sweep(cfg: DictConfig) -> list[list[str]]:
    params = cfg.hydra.sweeper.params or {}
    assert (cfg.hydra.mode is not None) == bool(params), "a study with a sweep says hydra.mode: MULTIRUN"
    return [
        [f"{key}={value}" for key, value in zip(params, values, strict=True)]
        for values in itertools.product(*(str(choice).split(",") for choice in params.values()))
    ]


@pytest.mark.parametrize("name", choices("experiment"))
def test_every_combination_takes_a_step(name: str) -> None:
    whole = composed(name)
    assert whole.study == name
    size = SAME_SIZE.get(whole.dataset.name)
    data = ["dataset=digits", f"dataset.size={size}"] if size else []
    if whole.dataset.name in ("ring", "grid"):
        data = ["dataset.size=500"]
    small = [*data, "model.generator.width=4", "model.discriminator.width=4", "seeds=1", "batch_size=4"]
    for combination in sweep(whole)[:14]:
        cfg = composed(name, *small, *combination)
        (numbers,) = take_steps(untrained(cfg), 1)
        assert all(n.isfinite().all() for n in numbers.values()), combination


def test_a_study_is_one_file_and_sweeps(run_cli, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    code, out, err = run_cli(
        "train",
        "experiment=activations_on_ring",
        "activation=relu,identity",
        "seeds=2",
        "steps=3",
        "dataset.size=500",
        "samples.every=0",
    )
    assert code == 0, err
    assert out.count("finished: 3 steps, 2 seeds") == 2
    assert len(list(Path("outputs/activations_on_ring").glob("*/status.json"))) == 2
