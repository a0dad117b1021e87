"""Run folders of strangers: a bad file costs its run, and nothing is read or written outside the study."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gan_lab.runs.folder import require_unlinked
from gan_lab.runs.run import Run
from gan_lab.runs.study import read_study
from gan_lab.utils.errors import GanLabError
from tests.helpers.synthetic import make_run

HUGE = "1" + "0" * 400
BOMB = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9))


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda run: (run / name).write_text(text)


def change(name: str, **values: Any) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        content = json.loads((run / name).read_text())
        (run / name).write_text(json.dumps({**content, **values}))

    return apply


def link(name: str, target: str) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(target)

    return apply


def fifo(name: str) -> Callable[[Path], object]:
    def apply(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        os.mkfifo(run / name)

    return apply


RESULTS, STATS = "seed_0/results.json", "seed_0/stats.jsonl"
CASES: dict[str, Callable[[Path], object]] = {
    "aliases": write("config.yaml", BOMB),
    "config is a link": link("config.yaml", "/etc/hostname"),
    "a picture elsewhere": link("seed_0/samples/step_999999.png", "/etc/hostname"),
    "a picture is a FIFO": fifo("seed_0/samples/step_999999.png"),
    "brackets": write(RESULTS, "[" * 200_000),
    "no primary": change(RESULTS, primary=None),
    "no step": change(RESULTS, step=None),
    "last is text": change(RESULTS, metrics={"fid": {"direction": "min", "last": "x"}}),
    "last is a list": change(RESULTS, metrics={"fid": {"direction": "min", "last": [1]}}),
    "last is huge": write(RESULTS, '{"format": 2, "metrics": {"fid": {"last": ' + HUGE + "}}}"),
    "results is a FIFO": fifo(RESULTS),
    "stats of brackets": write(STATS, "[" * 200_000 + "\n"),
    "stats of a list": write(STATS, "[1]\n"),
    "stats step is text": write(STATS, '{"step": "1"}\n'),
    "stats without step": write(STATS, "{}\n"),
    "stats step is huge": write(STATS, '{"step": ' + HUGE + "}\n"),
    "status seconds are huge": write("status.json", '{"format": 2, "seconds": ' + HUGE + "}"),
    "a lone surrogate": change("status.json", choices={"activation": "\ud800"}),
    "an escape sequence": change("status.json", reason="\x1b[2J"),
    "status is /dev/zero": link("status.json", "/dev/zero"),
    "status is a FIFO": fifo("status.json"),
}


@pytest.mark.parametrize("case", list(CASES))
def test_a_bad_file_costs_its_own_run(case: str, tmp_path: Path) -> None:
    study = tmp_path / "study"
    make_run(study, "relu", [1.0])
    bad = make_run(study, "elu", [2.0])
    assert not read_study(study, check=Run.verify).damaged
    CASES[case](bad)
    found = read_study(study, check=Run.verify)
    assert [run.name for run in found.runs] == ["activation=relu"]
    assert list(found.damaged) == ["activation=elu"]
    assert "\n" not in found.damaged["activation=elu"]


@pytest.mark.parametrize("name", [".lock", "train.log", "seed_0/stats.jsonl", "seed_0/samples"])
def test_training_writes_through_no_link(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    (folder / "seed_0").mkdir(parents=True)
    require_unlinked(folder)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GanLabError, match="nothing is written there"):
        require_unlinked(folder)
