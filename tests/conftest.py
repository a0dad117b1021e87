"""Shared fixtures: composed configurations, experiments built from them, and a quiet place to run."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from gan_lab.assembly import Experiment, assemble
from gan_lab.paths import config_dir

if TYPE_CHECKING:
    from killing import Starter

torch.set_num_threads(1)

# Small enough for a test, and otherwise what the defaults are.
TINY_IMAGES = (
    "dataset=digits",
    "dataset.size=8",
    "model=dcgan",
    "model.latent_size=8",
    "model.generator.width=4",
    "model.discriminator.width=4",
    "batch_size=8",
    "samples.number=4",
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
)


def choices(group: str) -> list[str]:
    """Names of all entries of a config group, so that a new file is covered without a change here."""
    names = sorted(path.stem for path in (config_dir() / group).glob("*.yaml"))
    assert names, f"no entry in configs/{group}"
    return names


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        return compose("train", overrides=list(overrides))


def assembled(*overrides: str) -> Experiment:
    return assemble(composed(*overrides), torch.device("cpu"))


def play(experiment: Experiment, steps: int) -> list[dict[str, torch.Tensor]]:
    """Train for some steps without a loop; the numbers of every step."""
    history = []
    for step in range(steps):
        batches, last = experiment.batches(step)
        numbers = {}
        for batch in batches:
            numbers = experiment.engine.discriminator_step(batch)
        history.append(numbers | experiment.engine.generator_step(last))
    return history


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run_cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Call `gan-lab` in a process of its own: (exit code, stdout, stderr)."""
    import os
    import subprocess
    import sys

    def call(*arguments: str, **environment: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [sys.executable, "-m", "gan_lab", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            timeout=300,
        )
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture(scope="session")
def starter() -> "Starter":
    """Starts runs in processes that somebody may kill."""
    from killing import Starter

    return Starter()


@pytest.fixture(scope="module")
def expected(
    request: pytest.FixtureRequest, starter: "Starter", tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """What a run of the module's `WORDS` leaves that nothing has happened to."""
    from killing import traces

    folder = tmp_path_factory.mktemp("straight")
    starter.finish(folder, request.module.WORDS)
    return traces(folder)
