"""From the first steps of a run to the time of a study: counts, rounds, and how runs share processes."""

import pytest

from gan_lab.training.forecast import (
    KINDS,
    Timing,
    as_elsewhere,
    makespan,
    race_seconds,
    side_by_side,
    times_due,
)
from gan_lab.training.schedule import Schedule

TIMING = Timing(
    device="cpu (1 threads)",
    steps=100,
    setup=2.0,
    step=0.01,
    first={"samples": 0.5, "metrics": 3.0, "diagnostics": 0.25},
    each={"log": 0.001, "samples": 0.4, "metrics": 2.0, "diagnostics": 0.2, "checkpoint": 0.1},
    finish=0.05,
    bytes_once=1000.0,
    bytes_each={"log": 10.0, "samples": 500.0, "metrics": 100.0, "diagnostics": 50.0, "checkpoint": 4000.0},
)


def configuration(steps: int, **every: int) -> dict[str, object]:
    intervals = {"log": 50, "samples": 500, "metrics": 500, "diagnostics": 500, "checkpoint": 1000} | every
    return {
        "steps": steps,
        **{kind: {"every": number} for kind, number in intervals.items()},
        "checkpoint": {"every": intervals["checkpoint"], "minutes": None, "keep": 2},
    }


@pytest.mark.parametrize(("steps", "first"), [(2000, 0), (2130, 0), (1, 0), (1999, 700), (3, 3)])
@pytest.mark.parametrize("every", [{}, {"samples": 0, "metrics": 0}, {"log": 7, "checkpoint": 0}])
def test_what_is_due_is_counted_as_the_loop_does_it(steps: int, first: int, every: dict[str, int]) -> None:
    cfg = configuration(steps, **every)
    schedule = Schedule(steps, **{kind: cfg[kind]["every"] for kind in KINDS})  # type: ignore[index]
    due = [schedule.due(step) for step in range(first + 1, steps + 1)]
    counted = {kind: sum(getattr(one, kind) for one in due) for kind in KINDS}
    # The loop saves a checkpoint at its last step, also if none is due.
    counted["checkpoint"] = max(counted["checkpoint"], int(bool(due)))
    assert times_due(cfg, first) == counted


def test_the_seconds_of_a_run_are_those_of_its_parts() -> None:
    """2,000 steps: 40 times logged, 4 times drawn, scored and diagnosed after step 0, 2 checkpoints."""
    steps, first = 2000 * 0.01, 0.5 + 3.0 + 0.25
    due = 40 * 0.001 + 4 * (0.4 + 2.0 + 0.2) + 2 * 0.1
    assert TIMING.seconds(configuration(2000)) == pytest.approx(2.0 + steps + first + due + 0.05)
    # From step 1,000 on: half of all that, and nothing of step 0.
    half = 20 * 0.001 + 2 * (0.4 + 2.0 + 0.2) + 0.1
    assert TIMING.seconds(configuration(2000), 1000) == pytest.approx(2.0 + 10.0 + half + 0.05)


def test_checkpoints_are_also_saved_by_the_clock() -> None:
    cfg = configuration(100_000, checkpoint=0)
    without = TIMING.seconds(cfg)
    cfg["checkpoint"]["minutes"] = 1  # type: ignore[index]
    # More than 1,000 s, and so one for each of its minutes instead of one at the end.
    assert TIMING.seconds(cfg) == pytest.approx(without + (int(without / 60) - 1) * 0.1)


def test_the_bytes_of_a_run_are_those_of_its_parts() -> None:
    """Step 0 is drawn, scored and diagnosed, too; two checkpoints are kept, however many are saved."""
    parts = 1000 + 40 * 10 + 5 * (500 + 100 + 50)
    assert TIMING.bytes(configuration(2000)) == parts + 2 * 4000
    assert TIMING.bytes(configuration(2000, checkpoint=100)) == parts + 2 * 4000
    assert TIMING.bytes(configuration(2000, checkpoint=0)) == parts + 4000


def test_the_next_run_begins_where_one_has_ended() -> None:
    assert makespan([3.0, 1.0, 1.0, 1.0], 1, start=2.0) == 8.0
    # 3 in one process, the others in the other one.
    assert makespan([3.0, 1.0, 1.0, 1.0], 2, start=2.0) == 5.0
    # The long one comes last.
    assert makespan([1.0, 1.0, 3.0], 2) == 4.0
    assert makespan([1.0, 2.0], 64, start=0.5) == 2.5
    assert makespan([], 2, start=5.0) == 0.0


def test_a_race_takes_at_least_its_next_round_and_at_most_all() -> None:
    rounds = [[10.0, 10.0], [5.0], [5.0]]
    assert race_seconds(rounds, wall=max, training=float) == (10.0, 20.0)
    assert race_seconds([], wall=max, training=float) == (0.0, 0.0)


def test_hours_end_a_race_between_rounds() -> None:
    """Of an hour, 3,590 s are spent: the next round begins, and is the last."""
    rounds = [[10.0, 10.0], [5.0], [5.0]]
    assert race_seconds(rounds, max, float, spent=3590.0, hours=1.0) == (10.0, 10.0)
    assert race_seconds(rounds, max, float, spent=3600.0, hours=1.0) == (0.0, 0.0)
    assert race_seconds(rounds, max, float, spent=3575.0, hours=1.0) == (10.0, 15.0)


def test_a_kind_of_run_that_was_not_timed_changes_as_the_others_did() -> None:
    def scaled(step: float, metrics: float) -> Timing:
        each = TIMING.each | {"metrics": TIMING.each["metrics"] * metrics}
        return Timing(**vars(TIMING) | {"step": TIMING.step * step, "each": each})

    pairs = [(TIMING, scaled(2.0, 3.0)), (scaled(2.0, 1.0), scaled(6.0, 3.0)), (TIMING, scaled(9.0, 3.0))]
    guessed = as_elsewhere(scaled(10.0, 10.0), pairs)
    assert guessed.step == pytest.approx(0.01 * 10 * 3)
    assert guessed.each["metrics"] == pytest.approx(2.0 * 10 * 3)
    assert guessed.each["samples"] == pytest.approx(0.4)


def test_processes_at_once_are_averaged() -> None:
    slower = Timing(**vars(TIMING) | {"step": 0.03, "each": TIMING.each | {"samples": 0.8}})
    both = side_by_side([TIMING, slower])
    assert both.step == pytest.approx(0.02)
    assert both.each["samples"] == pytest.approx(0.6)
    assert both.device == TIMING.device
