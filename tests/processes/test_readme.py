"""The README's sweeps, each run in a worker process."""

import pytest

from tests.helpers.readme import Cli, commands, is_sweep, trains


@pytest.mark.parametrize("line", [line for line in commands("train") if is_sweep(line)])
def test_every_sweep_trains(line: str, run_cli: Cli) -> None:
    trains(line, run_cli)
