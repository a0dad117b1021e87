"""A sweep whose runs train at once says how far all of them are."""

import json
import threading
from pathlib import Path

import pytest

from gan_lab.sweeps import overall as module
from gan_lab.sweeps.overall import Snapshot, lines_of_all, overall, where
from tests.helpers.synthetic import make_run

NOT_BEGUN = Snapshot()


def run(study: Path, name: str, state: str, step: int) -> Path:
    folder = make_run(study, "elu", [1.0], name=name, state=state, step=step, steps=2000)
    if state == "running":  # its status is written only now and then, its log at every step
        (folder / "seed_0/stats.jsonl").write_text(json.dumps({"step": step}) + "\n")
    return folder


def test_what_is_left_follows_from_the_steps_of_all_runs(tmp_path: Path) -> None:
    folders = [run(tmp_path, "a", "finished", 2000), run(tmp_path, "b", "running", 500)]
    folders += [run(tmp_path, "c", "running", 1500), tmp_path / "pending"]
    # 4,000 of 8,000 steps took a minute.
    assert overall(folders, [NOT_BEGUN] * 4, 60.0) == "1 of 4 runs ended, 2 training, about 60 s left"
    # Of c, 1,000 steps were there already: 3,000 of 7,000 took a minute.
    before = [NOT_BEGUN, NOT_BEGUN, Snapshot(1000, 2000, "interrupted"), NOT_BEGUN]
    assert overall(folders, before, 90.0) == "1 of 4 runs ended, 2 training, about 2 min left"


def test_nothing_is_said_of_runs_one_after_the_other_or_of_a_dead_one(tmp_path: Path) -> None:
    folders = [run(tmp_path, "a", "finished", 2000), run(tmp_path, "b", "running", 500)]
    assert overall(folders, [NOT_BEGUN] * 2, 60.0) == ""
    folders.append(run(tmp_path, "dead", "running", 700))
    assert overall(folders, [NOT_BEGUN, NOT_BEGUN, Snapshot(700, 2000, "running")], 60.0) == ""


def test_of_runs_one_after_the_other_it_is_said_which_one_trains(tmp_path: Path) -> None:
    folders = [run(tmp_path, "a", "finished", 2000), run(tmp_path, "b", "running", 500)]
    folders += [tmp_path / "c", tmp_path / "d"]
    assert where(folders, [NOT_BEGUN] * 4, 60.0) == "run 2 of 4, about 2 min left"
    assert where(folders[2:], [NOT_BEGUN] * 2, 60.0) == "run 1 of 2"


def test_the_line_comes_now_and_then_until_the_sweep_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = threading.Event()
    monkeypatch.setattr(module, "SECONDS_PER_LINE", 0.01)
    monkeypatch.setattr(module, "overall", lambda *_: said.set() or "2 of 3 runs ended, 2 training")
    with lines_of_all([tmp_path / "a"]):
        assert said.wait(10)
    assert not [thread for thread in threading.enumerate() if "watch" in thread.name]
    assert set(capsys.readouterr().err.splitlines()) == {"2 of 3 runs ended, 2 training"}
