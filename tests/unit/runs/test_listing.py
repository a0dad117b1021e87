"""`gan-lab ls`: what is there, how far it is, and what is broken."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import BinaryIO

import pytest
from filelock import FileLock

from gan_lab.runs import reader, stats
from gan_lab.runs.listing import listing
from gan_lab.runs.reader import open_regular
from gan_lab.runs.status import Status
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.tables import format_table
from gan_lab.utils.text import format_duration
from tests.helpers.synthetic import make_run

DEAD = 2**30  # no kernel gives processes so high a number
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    return tmp_path / "outputs"


def running(folder: Path, process: int, host: str | None = None) -> None:
    status = Status.load(folder)
    assert status is not None
    status.state, status.process = "running", process
    status.host = host or status.host
    status.save(folder)


def the_run(outputs: Path) -> dict[str, object]:
    (study,) = listing(outputs)
    (run,) = study["runs"]
    return run  # type: ignore[no-any-return]


def test_the_score_is_the_median_of_the_last_one(outputs: Path) -> None:
    make_run(outputs / "study", "elu", [1.0, 7.0, 2.0])
    run = the_run(outputs)
    assert (run["metric"], run["median"], run["seeds"]) == ("fid", 2.0, [0, 1, 2])
    assert (run["state"], run["step"], run["steps"]) == ("finished", 2000, 2000)


def test_a_diverged_seed_counts_as_the_worst(outputs: Path) -> None:
    make_run(outputs / "study", "elu", [1.0, 7.0, 2.0], diverged={0: 300})
    assert (the_run(outputs)["median"], the_run(outputs)["diverged"]) == (7.0, {"0": 300})


def test_where_most_seeds_diverged_there_is_no_score(outputs: Path) -> None:
    make_run(outputs / "study", "elu", [1.0, 7.0, 2.0], diverged={0: 300, 1: 300})
    assert (the_run(outputs)["metric"], the_run(outputs)["median"]) == ("fid", None)


def test_a_run_whose_process_has_died_is_interrupted(outputs: Path) -> None:
    folder = make_run(outputs / "study", "elu", [1.0], step=500, steps=2000)
    running(folder, DEAD)
    assert the_run(outputs)["state"] == "interrupted"


def test_a_run_whose_process_number_went_to_another_is_interrupted(outputs: Path) -> None:
    folder = make_run(outputs / "study", "elu", [1.0], step=500, steps=2000)
    running(folder, os.getpid())
    (folder / ".lock").touch()
    assert the_run(outputs)["state"] == "interrupted"


def test_a_run_that_holds_its_lock_is_running_and_its_log_says_how_far(outputs: Path) -> None:
    folder = make_run(outputs / "study", "elu", [1.0], step=500, steps=2000)
    running(folder, os.getpid())
    with (folder / "seed_0" / "stats.jsonl").open("a") as log:
        log.write('{"step": 750, "loss/generator": 1.0}\n{"step": 80')
    with FileLock(folder / ".lock"):
        assert (the_run(outputs)["state"], the_run(outputs)["step"]) == ("running", 750)


def test_a_run_on_another_machine_is_believed(outputs: Path) -> None:
    folder = make_run(outputs / "study", "elu", [1.0], step=500, steps=2000)
    running(folder, DEAD, host="elsewhere")
    assert the_run(outputs)["state"] == "running"


def test_damaged_folders_are_named_and_runs_put_aside_are_counted(outputs: Path) -> None:
    make_run(outputs / "study", "elu", [1.0])
    make_run(outputs / "study", "relu", [1.0], name="bad")
    make_run(outputs / "study", "relu", [1.0], name="relu.before-2026-11-23T100000+0000")
    (outputs / "study" / "bad" / "status.json").write_text('{"state": ')
    (study,) = listing(outputs)
    assert [run["run"] for run in study["runs"]] == ["activation=elu"]
    assert list(study["damaged"]) == ["bad"]
    assert "is damaged" in study["damaged"]["bad"]
    assert study["archived"] == 1


def test_a_study_and_a_run_can_be_listed_alone(outputs: Path) -> None:
    folder = make_run(outputs / "one", "elu", [1.0])
    make_run(outputs / "two", "elu", [1.0])
    (outputs / "empty").mkdir()
    assert [study["study"] for study in listing(outputs)] == ["one", "two"]
    assert [study["study"] for study in listing(outputs / "two")] == ["two"]
    assert [run["run"] for run in listing(folder)[0]["runs"]] == [folder.name]
    with pytest.raises(GanLabError, match="is not a folder"):
        listing(outputs / "three")


def test_of_a_finished_run_only_status_and_results_are_read(
    outputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(outputs / "study", "elu", [1.0, 2.0])
    opened = []

    def recorded(path: Path, run: Path) -> BinaryIO:
        opened.append(path.name)
        return open_regular(path, run)

    monkeypatch.setattr(reader, "open_regular", recorded)
    monkeypatch.setattr(stats, "open_regular", recorded)
    the_run(outputs)
    assert opened == ["status.json", "results.json", "results.json"]


def test_age_is_since_the_end(outputs: Path) -> None:
    since = datetime.now(timezone.utc) - timedelta(hours=3)
    make_run(outputs / "study", "elu", [1.0], started=since.isoformat())
    assert the_run(outputs)["age_seconds"] == pytest.approx(3 * 3600, abs=60)


@pytest.mark.parametrize(
    ("seconds", "said"), [(5, "5 s"), (90, "90 s"), (7200, "2 h"), (86_400 * 3, "3 d"), (None, "")]
)
def test_ages_in_words(seconds: float | None, said: str) -> None:
    assert format_duration(seconds) == said


def test_columns_are_aligned() -> None:
    assert format_table([("run", "x"), ("a", "10")]) == ["run   x", "a    10"]


def test_the_command_prints_a_table(outputs: Path, run_cli: Cli) -> None:
    make_run(outputs / "study", "elu", [1.0, 2.0, 3.0], diverged={2: 100})
    code, out, err = run_cli("ls")
    assert (code, err) == (0, "")
    title, head, line = out.splitlines()
    assert title == "outputs/study  (1 run)"
    assert head.split() == ["run", "state", "steps", "seeds", "diverged", "fid", "(median)", "age"]
    assert line.split()[:6] == ["activation=elu", "finished", "2,000/2,000", "3", "2", "2.00"]


def test_the_command_prints_json(outputs: Path, run_cli: Cli) -> None:
    make_run(outputs / "study", "elu", [1.0])
    code, out, _ = run_cli("ls", "outputs/study", "--json")
    assert code == 0
    (study,) = json.loads(out)["studies"]
    assert study["runs"][0]["median"] == 1.0


def test_without_runs_the_command_says_how_to_make_one(run_cli: Cli) -> None:
    assert run_cli("ls") == (0, "no runs in outputs; start one with: gan-lab train activation=elu\n", "")
    code, out, err = run_cli("ls", "nowhere")
    sentence = (
        "there is no study 'nowhere'; there are none in outputs; start one with: gan-lab train activation=elu"
    )
    assert (code, out, err) == (2, "", f"gan-lab: {sentence}\n")
    Path("file").touch()
    assert run_cli("ls", "file") == (2, "", "gan-lab: file is not a folder\n")


def test_a_study_may_be_named_as_in_other_commands(outputs: Path, run_cli: Cli) -> None:
    for name in ("one", "two"):
        make_run(outputs / name, "elu", [1.0])
    Path("two").mkdir()  # a folder of the user's own that is no study
    assert run_cli("ls", "two") == run_cli("ls", "outputs/two")
    code, out, err = run_cli("ls", "three")
    assert (code, out) == (2, "")
    assert err == "gan-lab: there is no study 'three'; type gan-lab ls outputs/one, or outputs/two\n"


def test_a_folder_name_never_reaches_the_terminal_as_a_command(outputs: Path, run_cli: Cli) -> None:
    make_run(outputs / "study", "elu", [1.0], name="a\x1b[2Jb")
    code, out, _ = run_cli("ls")
    assert code == 0
    assert "\x1b" not in out
    assert "a\\x1b[2Jb" in out
