"""Fixtures of all tests: a quiet folder for each, and the command line.

The tiers, each a folder: `unit` (in process, seconds), `runs` (trains in process), `processes` (starts
processes, and kills some), `walkthroughs` (every command of the READMEs, every experiment), `simulations`
(statistics by the thousand, and training until it has learned).
`scripts/test` runs the first two.
"""

import multiprocessing.process
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy.testing  # noqa: F401
import pytest
import threadpoolctl
import torch

from tests.helpers import cli

torch.set_num_threads(1)
# NumPy 2.0 starts lscpu when it is imported as above, threadpoolctl 3.1 ldconfig here; later tests could not.
threadpoolctl.threadpool_info()


@pytest.fixture(autouse=True)
def _quiet_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield
    torch.set_flush_denormal(False)  # a run sets it, and hypothesis refuses to draw floats then


@pytest.fixture(autouse=True)
def _no_processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the tiers apart: only tests in `processes` start any."""
    if "processes" in request.path.relative_to(Path(__file__).parent).parts:
        return

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a test that starts a process belongs into tests/processes")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", refuse)
    monkeypatch.setattr(os, "fork", refuse)


@pytest.fixture
def run_cli() -> Callable[..., cli.Result]:
    """Call `gan-lab`: exit code, stdout, stderr. In this process; under tests/processes as one of its own."""
    return cli.call
