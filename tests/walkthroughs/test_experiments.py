"""Every study that ships: it composes, builds, and takes a step with every choice that it sweeps over."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import UNMEASURED, choices, take_steps, untrained

# Data that would have to be downloaded give way to digits of the same size: the study's own keys stay.
SAME_SIZE = {"mnist": 28, "cifar10": 32}


def composed(name: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        return compose("train", overrides=[f"experiment={name}", *overrides], return_hydra_config=True)


def combinations(cfg: DictConfig) -> list[list[str]]:
    """As few combinations as hold every choice of every key that the study sweeps over."""
    params = {key: str(values).split(",") for key, values in (cfg.hydra.sweeper.params or {}).items()}
    assert (cfg.hydra.mode is not None) == bool(params), "a study with a sweep says hydra.mode: MULTIRUN"
    count = max(map(len, params.values()), default=1)
    return [
        [
            f"{key}={values[(number + shift) % len(values)]}"
            for shift, (key, values) in enumerate(params.items())
        ]
        for number in range(count)
    ]


@pytest.mark.parametrize("name", choices("experiment"))
def test_every_choice_takes_a_step(name: str) -> None:
    study = composed(name)
    assert study.study == name
    size = SAME_SIZE.get(study.dataset.name)
    data = ["dataset=digits", f"dataset.size={size}"] if size else []
    if study.dataset.name in ("ring", "grid"):
        data = ["dataset.size=500"]
    small = [*data, "model.generator.width=4", "model.discriminator.width=4", "seeds=1", "batch_size=4"]
    for number, combination in enumerate(combinations(study)):
        # Metrics and diagnostics are the same for all of them, and take the longest to build.
        cfg = composed(name, *small, *combination, *(UNMEASURED if number else ()))
        (scalars,) = take_steps(untrained(cfg), 1)
        assert all(values.isfinite().all() for values in scalars.values()), combination
