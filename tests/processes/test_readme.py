"""The README's sweeps, each run in a worker process."""

import json
import shlex
from pathlib import Path

import pytest

from tests.helpers.experiments import TINY_IMAGES
from tests.helpers.readme import Cli, commands, is_sweep, races, trains


@pytest.mark.parametrize("line", [line for line in commands("train") if is_sweep(line)])
def test_every_sweep_trains(line: str, run_cli: Cli) -> None:
    trains(line, run_cli)


@pytest.mark.parametrize("line", commands("plan"))
def test_every_plan_is_made(line: str, run_cli: Cli) -> None:
    small = ("steps=20", "seeds=2", "metrics.samples=64")
    code, out, err = run_cli(*shlex.split(line, comments=True)[1:], *small)
    assert code == 0, err
    assert "this command" in out
    assert not Path("outputs").exists()


def test_there_is_a_plan() -> None:
    assert commands("plan")


def test_the_race_is_run_and_reported(run_cli: Cli) -> None:
    (line,) = filter(races, commands("train"))
    two = ("activation=relu,elu", "race.seeds=8", "seeds=8", *TINY_IMAGES, "steps=2", "samples.every=0")
    code, out, err = run_cli(*shlex.split(line)[1:], *two, "metrics.every=2", "metrics.samples=64")
    assert code == 0, out + err
    assert "the race is over" in out
    (study,) = Path("outputs").iterdir()
    assert (study / "race.json").exists()
    code, out, err = run_cli("report", str(study))
    assert code == 0, out + err
    assert json.loads((study / "report/report.json").read_text())
