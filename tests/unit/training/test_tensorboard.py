"""TensorBoard's event files."""

import math
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan_lab.runs.stats import read_stats
from gan_lab.training import overview
from gan_lab.training.tensorboard import SeedLog
from tests.helpers.synthetic import make_run


def test_no_event_file_is_lost_where_processes_have_one_number(tmp_path: Path) -> None:
    """In containers host and process are the same each time, and the clock may go backwards."""
    now = int(time.time())
    stamps = (100, now - 4, now - 3, now + 3600)
    for stamp in stamps:
        (tmp_path / f"events.out.tfevents.{stamp:010d}.box.1.0").write_text(str(stamp))
    SeedLog(tmp_path, 5).close()
    files = sorted(tmp_path.glob("events.out.tfevents.*"))
    assert [path.read_text() for path in files[:-1]] == [str(stamp) for stamp in stamps]


def test_an_event_file_is_opened_once(tmp_path: Path) -> None:
    opened: list[str] = []
    sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
    log = SeedLog(tmp_path, 0)
    for step in range(50):
        log.log_scalars(step, {"loss/generator": 0.5 * step, "loss/discriminator": math.nan})
        log.flush()
    log.log_samples(49, torch.zeros(3, 4, 4, dtype=torch.uint8))
    assert len([path for path in opened if "tfevents" in path]) == 1
    # A live TensorBoard sees every logged step, before the file is closed.
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (tag,) = (tag for tag in events.Tags()["scalars"] if tag.endswith("generator"))
    assert [(point.step, point.value) for point in events.Scalars(tag)] == [(k, 0.5 * k) for k in range(50)]
    log.close()


def test_what_came_after_a_checkpoint_is_hidden_once_it_has_been_done_again(tmp_path: Path) -> None:
    for begun, value in ((0, 1.0), (3, 2.0)):
        log = SeedLog(tmp_path, begun)
        for step in range(begun + 1, 7):
            log.log_scalars(step, {"loss/generator": value})
        log.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    (tag,) = events.Tags()["scalars"]
    points = [(point.step, point.value) for point in events.Scalars(tag)]
    assert points == [(1, 1.0), (2, 1.0), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0)]


@pytest.mark.parametrize(("layers", "shown"), [(None, 2), (True, 3)])
def test_diagnostics_of_single_layers_are_shown_on_request_and_kept_always(
    tmp_path: Path, layers: bool | None, shown: int
) -> None:
    numbers = {
        "metrics/fid": 3.0,
        "diagnostics/generator/dead": 0.5,
        "diagnostics/generator/hidden.0/dead": 1.0,
    }
    log = SeedLog(tmp_path, 0, primary="fid", layers=layers)
    log.log_scalars(0, numbers)
    log.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    order = ["1_score/fid", "5_diagnostics/generator/dead", "layers/generator/hidden.0/dead"]
    assert sorted(events.Tags()["scalars"]) == order[:shown]
    assert read_stats(tmp_path) == [{"step": 0, **numbers}]


def test_an_overview_that_cannot_be_written_does_not_end_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = OSError(28, "No space left on device")

    def failing(*_: object, **__: object) -> bool:
        raise error

    monkeypatch.setattr(overview, "update_overview", failing)
    told: list[Exception] = []
    overview.Overview(tmp_path / "mine" / "run", "mine", "fid", told.append).finish()
    assert told == [error]


def test_a_run_in_a_folder_elsewhere_writes_nothing_beside_it(tmp_path: Path) -> None:
    overview.Overview(make_run(tmp_path, "elu", [1.0]), "digits", "fid", pytest.fail).finish()
    assert [path.name for path in tmp_path.iterdir()] == ["activation=elu"]


def test_an_overview_is_written_now_and_then_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, written = [100.0], []

    def write(study: Path, primary: str, *, wait: bool) -> None:
        clock[0] += 2.0  # seconds that it takes
        written.append(clock[0])

    monkeypatch.setattr(overview.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(overview, "update_overview", write)
    one = overview.Overview(tmp_path / "mine" / "run", "mine", "fid", pytest.fail)
    for second in range(101, 400):
        clock[0] = max(clock[0], float(second))
        one.update()
    assert written[0] == 112.0  # not before the first ten seconds are over
    assert 3 <= len(written) <= 5  # and for at most three in a hundred
