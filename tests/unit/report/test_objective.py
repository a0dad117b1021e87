"""What a run returns to a sweeper that searches: lower is better, whatever the score."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gan_lab.report.objective import value_to_minimize
from gan_lab.runs.run import Run
from tests.helpers.synthetic import make_run


def value(tmp_path: Path, *scores: float | None, **options: Any) -> float | None:
    return value_to_minimize(Run.load(make_run(tmp_path / "outputs/digits", "relu", scores, **options)))


@pytest.mark.parametrize(
    ("scores", "direction", "diverged", "expected"),
    [
        ([103.5], "min", {}, 103.5),
        ([0.75], "max", {}, -0.75),
        ([4.0, 1.0, 3.0, 1000.0], "min", {}, 3.5),  # the middle half of 1, 3, 4, 1000
        ([0.5, None], "max", {1: 700}, math.inf),
        ([4.0, 1.0, 3.0, None], "min", {3: 700}, 3.5),
        ([None], "min", {0: 3}, math.inf),
    ],
)
def test_it_is_the_primary_score_with_the_sign_of_its_direction(
    tmp_path: Path,
    scores: list[float | None],
    direction: str,
    diverged: Mapping[int, int],
    expected: float,
) -> None:
    state = "diverged" if len(diverged) == len(scores) else "finished"
    assert value(tmp_path, *scores, direction=direction, diverged=diverged, state=state) == expected


def test_a_run_that_was_not_measured_has_none(tmp_path: Path) -> None:
    assert value(tmp_path, 103.5, measured=False) is None
