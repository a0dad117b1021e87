"""Small configurations, composed and built as the command line does it."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache

import torch
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict

from gan_lab import train_run
from gan_lab.runs.load import TrainedRun
from gan_lab.sweeps.compose import SweepComposer
from gan_lab.training.build import Experiment, build_components, build_experiment, fresh_states
from gan_lab.training.preflight import preflight
from gan_lab.utils.paths import config_dir

# Small enough for a test, and otherwise what the defaults are. What real data score takes longer to measure
# than all else: tests that need metrics or diagnostics turn them on.
UNMEASURED = ("metrics.every=0", "diagnostics.every=0")
TINY_IMAGES = (
    "dataset=digits",
    "dataset.size=8",
    "model=dcgan",
    "model.latent_size=8",
    "model.generator.width=4",
    "model.discriminator.width=4",
    "batch_size=8",
    "samples.number=4",
    *UNMEASURED,
)
TINY_POINTS = (
    "dataset=ring",
    "dataset.size=1000",
    "model=mlp",
    "model.latent_size=3",
    "model.generator.width=8",
    "model.discriminator.width=8",
    "batch_size=8",
    "samples.number=16",
    *UNMEASURED,
)


def choices(group: str, *, every: bool = False) -> list[str]:
    """Names of all entries of a config group, so that a new file is covered without a change here.

    Without those that only networks from elsewhere can have, unless every one is asked for.
    """
    names = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
    # tests/unit/gan/test_own.py covers these.
    elsewhere = {"activation": "as_written", "model": "own", "initialization": "own"}
    names = [name for name in names if every or name != elsewhere.get(group)]
    assert names, f"no entry in configs/{group}"
    return names


def composed(*overrides: str) -> DictConfig:
    """The configuration of `gan-lab train <overrides>`."""
    return deepcopy(_composed(overrides))


@cache
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    cfg = _composer()(overrides)
    with open_dict(cfg):
        del cfg["hydra"]
    return cfg


@cache
def _composer() -> SweepComposer:
    """Compose as Hydra does, which `tests/unit/sweeps/test_compose.py` holds, in a fraction of the time."""
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        loader = GlobalHydra.instance().config_loader()
        return SweepComposer(loader, loader.load_configuration("train", [], RunMode.MULTIRUN))


def untrained(cfg: DictConfig, device: torch.device | str = "cpu") -> Experiment:
    """What `gan_lab.train.train` trains, before its first step."""
    components = build_components(cfg, torch.device(device))
    limits = preflight(cfg, components)
    return build_experiment(cfg, components, fresh_states(cfg, components), limits)


def assembled(*overrides: str) -> Experiment:
    return untrained(composed(*overrides))


def take_steps(experiment: Experiment, steps: int) -> list[dict[str, torch.Tensor]]:
    """Train for some steps without a loop; return the scalars of every step."""
    history = []
    for step in range(steps):
        discriminator_batches, generator_batch = experiment.batches(step)
        scalars = {}
        for turn, batch in enumerate(discriminator_batches, step * len(discriminator_batches)):
            scalars = experiment.engine.discriminator_step(batch, turn)
        history.append(scalars | experiment.engine.generator_step(generator_batch, step))
    return history


def train(overrides: Sequence[str] = ()) -> TrainedRun:
    """One run in this process, as the Python API trains it."""
    return train_run(overrides)
