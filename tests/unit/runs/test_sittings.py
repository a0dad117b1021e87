"""What the sittings of a run differ in, and what is said about it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from gan_lab.runs.run import Run
from gan_lab.runs.sittings import Sitting, environment_changes, resume_warning
from gan_lab.utils.errors import GanLabError
from tests.helpers.synthetic import make_run

VERSIONS = {"python": "3.11.7", "gan-lab": "0.1.0", "torch": "2.14.0"}


def sitting(start: int, end: int, **changes: Any) -> Sitting:
    base = Sitting("cpu (AVX2)", 1, "vmap", "eager", dict(VERSIONS), start, end, 10.0, 0.5)
    return Sitting(**{**vars(base), **changes})


def test_equal_sittings_change_nothing() -> None:
    assert environment_changes([]) == []
    assert environment_changes([sitting(0, 10), sitting(10, 20)]) == []


def test_what_changes_is_named_in_the_order_of_the_sittings() -> None:
    sittings = [
        sitting(0, 10),
        sitting(10, 20, threads=2, versions={**VERSIONS, "torch": "2.15.0"}),
        sitting(20, 30, threads=2),
        sitting(30, 40, device="NVIDIA H200"),
    ]
    assert environment_changes(sittings) == [
        "device cpu (AVX2), then NVIDIA H200",
        "threads 1, then 2, then 1",
        "torch 2.14.0, then 2.15.0, then 2.14.0",
    ]


def test_a_sitting_that_did_no_step_left_nothing_in_the_weights() -> None:
    assert environment_changes([sitting(0, 10), sitting(10, 10, threads=8), sitting(10, 20)]) == []


def test_a_resumed_run_is_compared_with_the_last_sitting_that_did_a_step() -> None:
    before = [sitting(0, 10, threads=2), sitting(10, 10, threads=1)]
    assert resume_warning(before, sitting(10, 10, threads=2)) == ""
    warning = resume_warning(before, sitting(10, 10, threads=1))
    assert warning.startswith("resumed in another environment (threads 2, then 1): the last bits")
    assert resume_warning([], sitting(0, 0)) == ""


def test_the_run_offers_its_sittings(tmp_path: Path) -> None:
    folder = make_run(tmp_path, "elu", [1.0])
    status = json.loads((folder / "status.json").read_text())
    status["sittings"] = [asdict(sitting(0, 10)), asdict(sitting(10, 20, threads=4, load=None))]
    (folder / "status.json").write_text(json.dumps(status))
    run = Run.load(folder)
    assert [(s.from_step, s.to_step) for s in run.sittings] == [(0, 10), (10, 20)]
    assert run.environment_changes == ["threads 1, then 4"]


@pytest.mark.parametrize(
    "bad", [3, [3], [{}], [{"device": "cpu"}], [{**asdict(sitting(0, 1)), "threads": "two"}]]
)
def test_a_sitting_that_is_none_is_damage(bad: Any, tmp_path: Path) -> None:
    folder = make_run(tmp_path, "elu", [1.0])
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps({**status, "sittings": bad}))
    with pytest.raises(GanLabError, match=r"status\.json is damaged"):
        Run.load(folder)
