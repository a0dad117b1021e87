"""`gan-lab plan`: what is left of a sweep or race, on which places it is timed, and what is said of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gan_lab import train_run
from gan_lab.cli.plan import lines
from gan_lab.config.command_line import complete_words
from gan_lab.training.forecast import Timing
from gan_lab.training.planning import plan
from gan_lab.training.timing_process import Gpus
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.cli import refused
from tests.helpers.experiments import TINY_POINTS

SWEEP = (*TINY_POINTS, "samples.every=0", "log.every=1000", "steps=1000")
START, SETUP = 4.0, 2.0


class Stopwatch:
    """Stands for processes that time runs: a step takes 1 ms, of elu 2 ms, and twice that side by side."""

    def __init__(self, cuda: int = 0) -> None:
        self.found, self.timed = Gpus(cuda, mps=False), list[tuple[int, str, int, str]]()

    def __call__(self, at_once: int, threads: int | None) -> Any:
        return OneStopwatch(self, at_once)


class OneStopwatch:
    def __init__(self, owner: Stopwatch, at_once: int) -> None:
        self.owner, self.at_once, self.start = owner, at_once, START

    def __enter__(self) -> "OneStopwatch":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def gpus(self) -> Gpus:
        return self.owner.found

    def time(self, cfg: Mapping[str, Any], choices: Mapping[str, Any], seconds: float) -> Timing:
        assert cfg["logger"] is None  # nothing of this is to be seen elsewhere
        self.owner.timed.append((self.at_once, choices["activation"], cfg["seeds"], cfg["device"]))
        step = 0.001 * (2 if choices["activation"] == "elu" else 1) * self.at_once * cfg["seeds"]
        each = {"log": 0.0, "checkpoint": 0.0}
        sizes = {"log": 0.0, "checkpoint": 1e6}
        return Timing(f"device {cfg['device']}", 10, SETUP, step, {}, each, 0.0, 0.0, sizes)


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lab.training.places.available_cores", lambda: 2)


def planned(*words: str, stopwatch: Stopwatch | None = None) -> dict[str, Any]:
    return plan(complete_words([*SWEEP, *words]), processes=stopwatch or Stopwatch())  # type: ignore[arg-type]


def seconds(found: Mapping[str, Any]) -> dict[str, float | None]:
    return {place["place"]: place["seconds"] for place in found["places"]}


def test_a_sweep_is_the_sum_of_its_runs_and_shares_the_cores() -> None:
    stopwatch = Stopwatch()
    found = planned("activation=relu,elu,tanh", stopwatch=stopwatch)
    # 1,000 steps of 1, 2 and 1 ms; side by side of 2, 4 and 2 ms, and tanh comes after relu.
    assert seconds(found) == pytest.approx(
        {"one process": START + 3 * SETUP + 4.0, "2 cores": START + 2 * SETUP + 4.0, "GPU": None}
    )
    assert [one["place"] for one in found["places"] if one["asked"]] == ["one process"]
    assert [one[:2] for one in stopwatch.timed if one[0] == 1] == [(1, "relu"), (1, "elu"), (1, "tanh")]
    assert found["bytes"] == 3e6
    assert not list(Path().iterdir())


def test_runs_that_differ_in_seeds_and_rates_alone_are_timed_once() -> None:
    stopwatch = Stopwatch()
    found = planned("activation=relu", "seed=0,4,8", "seeds=4", "optimizer.lr=1e-3,1e-4", stopwatch=stopwatch)
    assert found["runs"] == 6
    assert stopwatch.timed == [(1, "relu", 4, "auto"), (2, "relu", 4, "auto")]


def test_what_is_finished_is_not_planned_again_and_what_is_begun_is_resumed() -> None:
    train_run([*SWEEP, "activation=relu", "steps=3"])
    train_run([*SWEEP, "activation=elu", "steps=2"])
    found = planned("activation=relu,elu,tanh", "steps=3")
    assert (found["runs"], found["finished"], found["resumed"]) == (3, 1, 1)
    assert found["seed_steps"] == 3 + 1
    told = list(lines(found))
    assert told[:2] == [
        "3 runs in outputs/ring, 1 of them finished",
        "left: 2 runs, 1 from a checkpoint, 2 seeds, 4 seed-steps",
    ]
    stopwatch = Stopwatch()
    found = planned("activation=relu", "steps=3", stopwatch=stopwatch)
    assert (found["places"], stopwatch.timed) == ([], [])
    assert "nothing is left to train" in list(lines(found))


RACE = ("hydra/sweeper=race", "activation=relu,elu", "race.seeds=20", "seeds=4", "study=r")


def test_a_race_has_a_least_and_a_most() -> None:
    """Looks at 5, 10 and 20 seeds: rounds of 5, 5 and 10 seeds each, in runs of four and what is left."""
    stopwatch = Stopwatch()
    found = planned(*RACE, stopwatch=stopwatch)
    assert found["race"]["looks"] == [5, 10, 20]
    assert found["race"]["seeds_per_round"] == [10, 10, 20]
    first = START + 4 * SETUP + 5 * (1 + 2)
    place = found["places"][0]
    assert place["seconds_at_least"] == pytest.approx(first)
    assert place["seconds"] == pytest.approx(2 * first + START + 6 * SETUP + 10 * (1 + 2))
    # The second one's runs of one and of two seeds are guessed by what these numbers make of the first's.
    alone = {one[1:3] for one in stopwatch.timed if one[0] == 1}
    first = found["kinds"][0]["label"].removeprefix("activation=")
    other = "elu" if first == "relu" else "relu"
    assert alone == {(first, 4), (first, 1), (first, 2), (other, 4)}
    assert not list(Path().iterdir())


def test_hours_end_a_race_and_settings_are_races_of_their_own() -> None:
    hours = planned(*RACE, "race.hours=0.001")["places"][0]
    assert hours["seconds"] == hours["seconds_at_least"]
    both = planned(*RACE, "optimizer.lr=1e-3,1e-4")
    assert both["race"]["seeds_per_round"] == [20, 20, 40]
    assert "race of 2 candidates in each of 2 settings in outputs/r" in next(lines(both))


def test_a_gpu_is_timed_where_there_is_one() -> None:
    stopwatch = Stopwatch(cuda=1)
    found = planned("activation=relu,elu", stopwatch=stopwatch)
    assert [(place["place"], place["asked"]) for place in found["places"]] == [("GPU", True), ("CPU", False)]
    assert {one[0] for one in stopwatch.timed} == {1}
    stopwatch = Stopwatch(cuda=1)
    found = planned("activation=relu,elu", "device=cpu", stopwatch=stopwatch)
    assert [place["place"] for place in found["places"]] == ["one process", "2 cores", "GPU (device=cuda)"]
    assert {one[3] for one in stopwatch.timed} == {"cpu", "cuda"}


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    told = [line for line in lines(planned("activation=relu,elu")) if line.strip().startswith("GPU")]
    assert " ".join(told[0].split()) == "GPU not known there is none here to be measured"


def test_the_seeds_that_are_planned_are_marked() -> None:
    found = planned("activation=relu,elu,tanh", "seeds=10")
    rows = found["differences"]["rows"]
    assert [(row["seeds"], row["planned"]) for row in rows] == [
        (8, False),
        (10, True),
        (16, False),
        (32, False),
    ]
    pairs = [row["pair"] for row in rows]
    assert pairs == sorted(pairs, reverse=True)
    assert all(row["joint"] > row["pair"] for row in rows)
    json.dumps(found, allow_nan=False)


def test_the_metric_is_named_where_such_runs_are_finished() -> None:
    measured = ("metrics.every=2", "metrics.samples=64", "steps=2", "seeds=3", "study=before")
    train_run([*SWEEP, *measured, "activation=relu", "metric=[sliced_wasserstein]"])
    found = planned("activation=relu,elu", "steps=2", "study=after")
    spread = found["differences"]["spread"]
    assert (spread["metric"], spread["seeds"], spread["studies"]) == ("sliced_wasserstein", 3, ["before"])
    assert any("finished seeds in before" in line for line in lines(found))
    assert planned("activation=relu", "steps=2", "batch_size=4")["differences"]["spread"] is None


def test_what_training_refuses_is_refused() -> None:
    assert "steps must be a whole number" in refused("plan", "activation=relu", "steps=0")
    assert "did you mean" in refused("plan", "activation=relu,eluu")
    assert refused("plan", "activation", "elu").endswith(": gan-lab plan -m activation=elu\n")
    assert "--cfg is for gan-lab train alone" in refused("plan", "--cfg", "job")
    assert "a race needs at least two activations" in refused("plan", "hydra/sweeper=race", "activation=elu")


def test_a_search_is_not_planned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gan_lab.training.planning.searches", lambda hydra: True)
    with pytest.raises(ConfigurationError, match=r"hydra/sweeper=resumable chooses its runs by the scores"):
        planned("activation=relu")
