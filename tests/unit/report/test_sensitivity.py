"""How many seeds find which difference, before anything is trained."""

from pathlib import Path

import numpy as np
import pytest

from gan_lab.report.comparison import winner_test
from gan_lab.report.sensitivity import detectable_at_looks, detectable_differences, typical_spread
from gan_lab.runs.run import Run
from tests.helpers.synthetic import draws, make_run

STUDY = Path("outputs/before")


def test_a_difference_of_that_size_is_found_four_times_out_of_five() -> None:
    (row,) = detectable_differences(2, [8])
    rng = np.random.default_rng(0)
    found = sum(
        winner_test({"a": rng.normal(row["pair"], 1, 8), "b": rng.normal(0, 1, 8)}).winner == "a"
        for _ in range(500)
    )
    assert found / 500 == pytest.approx(0.8, abs=0.06)


def test_where_nothing_can_be_found_nothing_is_said() -> None:
    """Of 36 candidates nobody can be called worse below 9 seeds, and with 2 seeds no test rejects."""
    two, eight, nine = detectable_differences(36, [9, 2, 8])
    assert (two["seeds"], two["pair"], two["joint"]) == (2, None, None)
    assert (eight["pair"] is None, eight["joint"] is None) == (False, True)
    assert nine["joint"] > nine["pair"]


def test_a_look_at_a_smaller_level_finds_less() -> None:
    (look,) = detectable_at_looks([8], [0.0125])
    (fixed,) = detectable_differences(2, [8])
    assert look["pair"] > fixed["pair"]


def test_the_spread_is_that_of_finished_runs_which_differ_in_candidates_and_seeds_alone() -> None:
    centers = {"relu": 100.0, "elu": 500.0}
    for stream, (name, center) in enumerate(centers.items()):
        make_run(STUDY, name, draws(center, 10.0, 20, stream))
    make_run(STUDY, "tanh", draws(300.0, 90.0, 20, 5), state="interrupted")
    make_run(Path("outputs/other"), "relu", draws(9.0, 90.0, 20, 6), changes={"optimizer.lr": 1e-3})
    make_run(Path("outputs/longer"), "relu", draws(9.0, 90.0, 20, 7), step=4000)
    config = Run.load(STUDY / "activation=relu").config
    new = config | {"seed": 100, "seeds": 3, "activation": {"_target_": "torch.nn.SELU"}, "ema": None}
    found = typical_spread(Path("outputs"), [new])
    assert found is not None
    assert (found["metric"], found["seeds"], found["studies"]) == ("fid", 40, ["before"])
    # Of two candidates that are far apart, it is the spread within each.
    assert found["sd"] == pytest.approx(10.0, rel=0.3)
    assert typical_spread(Path("outputs"), [new | {"batch_size": 32}]) is None
    assert typical_spread(Path("nowhere"), [new]) is None
