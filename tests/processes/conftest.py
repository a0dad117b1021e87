"""Fixtures of tests that start processes."""

from collections.abc import Callable

import pytest

from tests.helpers import cli
from tests.helpers.killing import Starter, traces


@pytest.fixture
def run_cli() -> Callable[..., cli.Result]:
    """Call `gan-lab` as a process: exit code, stdout, stderr."""
    return cli.call_process


@pytest.fixture(scope="session")
def starter() -> Starter:
    """Starts runs in processes that somebody may kill."""
    return Starter()


@pytest.fixture(scope="module")
def expected(
    request: pytest.FixtureRequest, starter: Starter, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """What a run of the module's `WORDS` leaves that nothing has happened to."""
    folder = tmp_path_factory.mktemp("straight")
    starter.finish(folder, request.module.WORDS)
    return traces(folder)
