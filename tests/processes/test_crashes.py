"""A run that dies before any of its file operations goes on to the same bits, even where the disk forgets."""

from functools import partial
from pathlib import Path

import pytest

from tests.helpers.crashing import die_before, lose_power, operations
from tests.helpers.experiments import TINY_POINTS
from tests.helpers.killing import EVERYTHING_OFTEN, Starter, differences, traces

WORDS = (*TINY_POINTS, *EVERYTHING_OFTEN, "steps=14", "samples.every=7", "metrics.every=7")
INSTANTS = 9


@pytest.fixture(scope="module")
def straight(starter: Starter, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], int]:
    """What a run leaves that nothing happens to, and in how many file operations."""
    folder = tmp_path_factory.mktemp("straight")
    process = starter.start(folder / "run", WORDS, partial(die_before, 0, folder / "notes"))
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
        differing = dies_and_goes_on(starter, expected, number, tmp_path, power=power)
        assert not differing, f"before operation {number} of {count}: {differing}"


def dies_and_goes_on(
    starter: Starter, expected: dict[str, object], number: int, place: Path, *, power: bool
) -> list[str]:
    """What differs after a run died before its operation of this number and was started again."""
    folder, notes, said = place / f"run_{number}", place / f"notes_{number}", place / f"said_{number}"
    said.mkdir()
    process = starter.start(folder, WORDS, partial(die_before, number, notes), said)
    process.join(120)
    assert process.exitcode == -9, (said / "err").read_text()
    if power:
        lose_power(folder, notes)
    again = starter.start(folder, WORDS, said=said)
    again.join(120)
    assert again.exitcode == 0, (said / "err").read_text()
    return differences(expected, traces(folder))
