"""Curves of seeds that train: few points of however many, and only what is new is read."""

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest

from gan_lab.report import curves
from gan_lab.report.curves import MOST_POINTS, StudyCurves, ThinnedCurve
from gan_lab.runs.run import Seed
from gan_lab.runs.stats import STATS


def thinned(steps: range) -> ThinnedCurve:
    curve = ThinnedCurve()
    for step in steps:
        curve.add(step, float(step))
    return curve


@pytest.mark.parametrize("number", [1, MOST_POINTS, MOST_POINTS + 1, 7_777, 100_000])
def test_a_curve_has_few_points_evenly_and_its_first_and_last(number: int) -> None:
    points = thinned(range(0, 50 * number, 50)).points()
    steps = list(points)
    assert len(points) <= MOST_POINTS + 1
    assert number <= MOST_POINTS or len(points) > MOST_POINTS / 2
    assert (steps[0], steps[-1]) == (0, 50 * (number - 1))
    assert len({b - a for a, b in pairwise(steps[:-1])}) <= 1
    assert all(value == step for step, value in points.items())


def test_a_seed_that_is_behind_has_all_points_of_one_that_is_ahead_but_its_last() -> None:
    ahead, behind = (list(thinned(range(0, 10 * number, 10)).points()) for number in (9_000, 3_500))
    assert {step for step in ahead if step < behind[-1]} <= set(behind)


def test_a_curve_without_points_is_empty() -> None:
    assert ThinnedCurve().points() == {}


def test_what_is_kept_of_a_seed_is_bounded_and_follows_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "MOST_POINTS", 10)
    folder = tmp_path / "run" / "seed_0"
    folder.mkdir(parents=True)
    seed, known = Seed(0, folder), StudyCurves()

    def log(*steps: int) -> None:
        with (folder / STATS).open("a") as file:
            for step in steps:
                line = {"step": step, "loss/generator": None if step == 3 else 0.5}
                file.write(json.dumps({**line, "diagnostics/generator/hidden.0/dead": 0.0}) + "\n")

    for look in range(100):
        log(*range(10 * look + 1, 10 * look + 11))
        (curve,) = known.read(seed).values()  # none of a layer
        assert len(curve.points()) <= 11
        assert list(curve.points())[-1] == 10 * look + 10
        if look == 0:
            assert math.isnan(curve.points()[3])
    (folder / STATS).unlink()
    log(1, 2)
    assert list(known.read(seed)["loss/generator"].points()) == [1, 2]
    known.keep(())
    assert list(known.read(seed)["loss/generator"].points()) == [1, 2]
