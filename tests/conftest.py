"""Shared fixtures: a quiet folder for every test, the command line as a process, and runs to kill."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

if TYPE_CHECKING:
    from tests.helpers.killing import Starter

torch.set_num_threads(1)


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
    from tests.helpers.killing import Starter

    return Starter()


@pytest.fixture(scope="module")
def expected(
    request: pytest.FixtureRequest, starter: "Starter", tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """What a run of the module's `WORDS` leaves that nothing has happened to."""
    from tests.helpers.killing import traces

    folder = tmp_path_factory.mktemp("straight")
    starter.finish(folder, request.module.WORDS)
    return traces(folder)
