"""Hydra's Optuna sweeper searches by the scores of runs."""

import importlib.util
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.helpers.experiments import TINY_POINTS
from tests.helpers.readme import commands, searches
from tests.helpers.sweeping import statuses

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None and not os.environ.get("CI"),
    reason="there is no Optuna here: pip install 'gan-lab[optuna]'",
)

Cli = Callable[..., tuple[int, str, str]]
MEASURED = ("steps=4", "samples.every=0", "metrics.every=4", "metrics.samples=64")
SEARCH = ("train", "-m", "hydra/sweeper=optuna", *TINY_POINTS, *MEASURED)


def test_the_best_value_is_found_past_a_run_that_diverges_and_is_stored(run_cli: Cli) -> None:
    words = (*SEARCH, "hydra/sweeper/sampler=grid", "optimizer.lr=choice(1e30,0.05)")
    code, out, err = run_cli(*words)
    assert code == 0, err
    assert "diverged: 4 steps" in out
    assert "finished: 4 steps" in out
    assert "Best parameters: {'optimizer.lr': 0.05}" in out
    assert "x1b" not in out + err  # no colors, which would be shown as text
    assert len([line for line in out.splitlines() if "outputs/" in line]) == 2  # one line per trial
    best = yaml.safe_load(Path("outputs/ring/optimization_results.yaml").read_text())
    (status,) = [status for status in statuses("ring") if status.state == "finished"]
    (folder,) = Path("outputs/ring").glob(f"*-{status.identity[:8]}")
    results = json.loads((folder / "seed_0/results.json").read_text())
    assert results["metrics"][results["primary"]]["direction"] == "min"
    expected = results["metrics"][results["primary"]]["last"]
    assert best == {"name": "optuna", "best_params": {"optimizer.lr": 0.05}, "best_value": expected}

    logs = {log: log.read_text() for log in Path("outputs/ring").glob("*/train.log")}
    code, _, err = run_cli(*words)
    assert code == 0, err
    assert yaml.safe_load(Path("outputs/ring/optimization_results.yaml").read_text()) == best
    assert len(logs) == 2
    assert {log: log.read_text() for log in Path("outputs/ring").glob("*/train.log")} == logs


def test_a_search_by_a_score_that_grows_minimizes_its_negative(run_cli: Cli) -> None:
    (line,) = filter(searches, commands("train"))
    small = ("hydra.sweeper.n_trials=1", *TINY_POINTS, *MEASURED, "report.primary=frac_high_quality")
    code, _, err = run_cli(*shlex.split(line)[1:], *small)
    assert code == 0, err
    best = yaml.safe_load(Path("outputs/ring/optimization_results.yaml").read_text())
    (path,) = Path("outputs/ring").glob("*/seed_0/results.json")
    score = json.loads(path.read_text())["metrics"]["frac_high_quality"]
    assert score["direction"] == "max"
    assert best["best_value"] == -score["last"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("metrics.every=0", "hydra/sweeper=optuna looks for the best score, and this run has none"),
        ("hydra.sweeper.direction=maximize", "hydra.sweeper.direction=maximize looks for the worst"),
    ],
)
def test_a_search_without_a_score_or_for_the_worst_is_refused(run_cli: Cli, word: str, sentence: str) -> None:
    code, out, err = run_cli(*SEARCH, "hydra.sweeper.n_trials=1", "optimizer.lr=interval(0.1,0.2)", word)
    assert code == 2
    assert "Traceback" not in out + err
    assert f"gan-lab: {sentence}" in err.splitlines()[-1]
