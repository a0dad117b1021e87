"""The live table of a sweep: what it shows of the runs, and that all that is printed comes above it."""

import json
import os
import sys
from pathlib import Path

import pytest

from gan_lab.runs.status import Status
from gan_lab.sweeps import live
from gan_lab.sweeps.live import live_output, live_table, table
from gan_lab.sweeps.overall import Snapshot
from gan_lab.sweeps.workers import StoppableTask
from gan_lab.utils.progress import progress_bar
from gan_lab.utils.terminal import TerminalStream
from tests.helpers.synthetic import make_run
from tests.unit.utils.test_terminal import Screen, Terminal, resize


def running(study: Path, name: str, step: int, scores: tuple[float, ...] = ()) -> Path:
    folder = make_run(study, "elu", [1.0], name=name, state="running", step=step, steps=2000, measured=False)
    lines = [{"step": 100 * k, "metrics/kid": 0.5, "metrics/fid": score} for k, score in enumerate(scores)]
    lines.append({"step": step, "loss/generator": 1.0})
    (folder / "seed_0/stats.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture
def _alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is said to train does."""
    monkeypatch.setattr("gan_lab.runs.run.is_running", lambda folder, status: True)


def shown(folders: list[Path], statuses: list[Status | None] | None = None) -> list[str]:
    return table(folders, [Snapshot()] * len(folders), statuses or [None] * len(folders), 60.0)


@pytest.mark.usefixtures("_alive")
def test_state_step_and_score_of_every_run_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resize(monkeypatch, 60)
    done = make_run(tmp_path, "elu", [3.0, 5.0, 9.0], name="activation=elu,lr=0.1-aaaaaaaa")
    failed = make_run(
        *(tmp_path, "elu", [1.0]),
        name="activation=elu,lr=0.2-aaaaaaaa",
        state="failed",
        measured=False,
        step=0,
    )
    trains = running(tmp_path, "activation=relu,lr=0.1-bbbbbbbb", 500, (9.0, 7.0))
    begins = tmp_path / "activation=relu,lr=0.2-cccccccc"
    begins.mkdir()
    (begins / "train.log").touch()
    config = (trains / "config.yaml").read_text()
    (trains / "config.yaml").write_text(config.replace("primary: null", "primary: fid"))
    lines = shown([done, failed, trains, begins, tmp_path / "activation=tanh,lr=0.1-dddddddd"])
    assert lines == [
        "run 3 of 5, about 73 s left",
        "  activation, lr  state           steps   fid",
        "  elu, 0.1        finished  2,000/2,000  5.00",
        "  elu, 0.2        failed        0/2,000",
        "  relu, 0.1       training    500/2,000  7.00",
        "  relu, 0.2       starting",
        "  tanh, 0.1       pending",
    ]


@pytest.mark.usefixtures("_alive")
def test_of_many_runs_those_that_train_are_shown_and_the_others_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resize(monkeypatch, 60, 12)
    folders = [make_run(tmp_path, "elu", [1.0], name=f"seed={k}-{k:08x}") for k in range(40)]
    folders += [running(tmp_path, f"seed={k}-{k:08x}", 100) for k in (40, 41)]
    folders += [tmp_path / f"seed={k}-{k:08x}" for k in range(42, 100)]
    lines = shown(folders)
    assert len(lines) < 12
    assert lines[0].startswith("40 of 100 runs ended, 2 training, about ")
    assert [line.split()[:2] for line in lines[-4:-1]] == [
        ["39", "finished"],
        ["40", "training"],
        ["41", "training"],
    ]
    assert lines[-1] == "  and 93 more: 35 finished, 58 pending"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_it_fits_the_width_and_names_stay_distinct(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    resize(monkeypatch, columns)
    rates = ("0.001", "0.0001")
    names = [
        f"activation={name},optimizer.lr={lr}-{k:08x}"
        for k, lr in enumerate(rates)
        for name in ("leaky_relu", "relu")
    ]
    lines = shown([make_run(tmp_path, "elu", [1.0], name=name) for name in names])
    assert max(map(len, lines)) < columns
    assert len({line.split("finished")[0] for line in lines[2:]}) == 4


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (50, "leaky_relu, 0.001  finished  2,000/2,000  1.23"),
        (45, "l...lu, 0.001  finished  2,000/2,000  1.23"),
        (40, "leaky_relu, 0.001  finished  1.23"),
        (28, "leaky_...  finished  1.23"),
        (10, "l  finished  1.23"),
    ],
)
def test_in_few_columns_the_score_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int, row: str
) -> None:
    resize(monkeypatch, columns)
    name = "activation=leaky_relu,optimizer.lr=0.001-0123abcd"
    assert shown([make_run(tmp_path, "elu", [1.234], name=name)])[2].split() == row.split()


def test_a_run_that_was_stopped_before_is_pending_until_it_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resize(monkeypatch, 60)
    folder = make_run(tmp_path, "elu", [1.0], state="interrupted", step=500)
    assert "interrupted" in shown([folder])[2]
    assert "pending" in shown([folder], [Status.load(folder)])[2]


def test_all_that_is_printed_comes_above_the_table_and_nothing_is_left_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resize(monkeypatch, 60)
    monkeypatch.setattr(live, "_POLL_SECONDS", 0.001)
    screen = Screen(60)
    folders = [make_run(tmp_path, name, [1.0]) for name in ("elu", "relu")]
    before = sys.stdout, sys.stderr
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def work() -> None:
        assert live_output() is not None
        print("from this process")
        print("warning", file=sys.stderr)
        with progress_bar("elu", total=3, unit="step") as bar:
            bar.update()
        task = StoppableTask(lambda cfg: os.write(1, b"from a worker\n"), tmp_path, live_output(), launcher=0)
        task(None)  # type: ignore[arg-type]
        print("without an end", end="")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), live_table(TerminalStream(Terminal(screen)), folders):
        work()
    assert (sys.stdout, sys.stderr) == before
    assert live_output() is None
    assert screen.text.splitlines() == [*("from this process", "warning", "from a worker", "without an end")]
