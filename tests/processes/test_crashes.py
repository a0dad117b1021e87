"""A run that dies before any of its file operations resumes to the same bits, even if the disk forgets."""

from functools import partial
from pathlib import Path

import pytest

from tests.helpers.crashing import die_before, dies_and_resumes, operations
from tests.helpers.kill_runs import SHORT
from tests.helpers.killing import Starter, traces

INSTANTS = 9


@pytest.fixture(scope="module")
def straight(starter: Starter, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], int]:
    """What a run leaves that nothing happens to, and in how many file operations."""
    folder = tmp_path_factory.mktemp("straight")
    process = starter.start(folder / "run", SHORT, partial(die_before, 0, folder / "notes"))
    process.join(120)
    assert process.exitcode == 0
    return traces(folder / "run"), operations(folder / "notes")


@pytest.mark.parametrize("power", [True, False], ids=["power lost", "killed"])
def test_dying_between_file_operations(
    power: bool, starter: Starter, straight: tuple[dict[str, object], int], tmp_path: Path
) -> None:
    expected, count = straight
    assert count > 40
    for number in range(1 if power else 3, count + 1, count // INSTANTS):
        differing = dies_and_resumes(starter, SHORT, expected, number, tmp_path, power=power)
        assert not differing, f"before operation {number} of {count}: {differing}"
