"""The log of a seed: it goes on after its last good line, and what has been read of it is not read again."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from gan_lab.runs import stats
from gan_lab.runs.stats import STATS, StatsReader, StatsWriter, last_scores, last_step, read_stats
from gan_lab.utils.errors import GanLabError

GOOD = '{"step": 1, "loss/generator": 1.0}\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A seed's folder."""
    folder = tmp_path / "run" / "seed_0"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many bytes of logs have been read since the last call."""
    read: list[int] = []

    class Counting:
        def __init__(self, file: BinaryIO) -> None:
            self._file = file

        def read(self, size: int) -> bytes:
            data = self._file.read(size)
            read.append(len(data))
            return data

        def __enter__(self) -> "Counting":
            return self

        def __exit__(self, *error: object) -> None:
            self._file.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    opened = stats.open_regular
    monkeypatch.setattr(stats, "open_regular", lambda path, run: Counting(opened(path, run)))

    def since_last_call() -> int:
        total = sum(read)
        read.clear()
        return total

    return since_last_call


def write(folder: Path, steps: Iterable[int], **others: float) -> int:
    """Append a line per step; return how many bytes they have."""
    text = "".join(
        json.dumps({"step": step, "loss/generator": 1 / (step + 1), **others}) + "\n" for step in steps
    )
    with (folder / STATS).open("a") as file:
        return file.write(text)


@pytest.mark.parametrize(
    "bad", ["[" * 200_000, "[1]", '{"step": "1"}', "{}", '{"step": 1' + "0" * 400 + "}", "\x00\x00", '{"st']
)
def test_a_resumed_run_drops_its_log_from_the_first_bad_line_on(bad: str, folder: Path) -> None:
    (folder / STATS).write_text(f'{GOOD}{bad}\n{{"step": 2}}\n')
    writer = StatsWriter(folder, step=4)
    writer.write({"step": 5, "loss/generator": 0.5})
    writer.close()
    assert [line["step"] for line in read_stats(folder)] == [1, 5]


def test_every_byte_is_read_once_however_often_one_looks(
    folder: Path, bytes_read: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "_BLOCK", 100)
    reader, steps = StatsReader(folder), list[int]()
    assert not list(reader.new_lines())
    for look in range(50):
        written = write(folder, range(40 * look, 40 * look + 40))
        steps += [line["step"] for line in reader.new_lines()]
        # Beside the new lines: the line before them, to see whether it is still there.
        assert written <= bytes_read() <= written + 100
        assert not list(reader.new_lines())
        assert bytes_read() <= 100
    assert steps == list(range(2000))


def test_a_line_that_is_being_written_comes_when_it_is_complete(folder: Path) -> None:
    (folder / STATS).write_text(f'{GOOD}{{"step": 2, "loss')
    reader = StatsReader(folder)
    assert [line["step"] for line in reader.new_lines()] == [1]
    with (folder / STATS).open("a") as file:
        file.write('/generator": 2.0}\n')
    assert list(reader.new_lines()) == [{"step": 2, "loss/generator": 2.0}]


def test_a_log_that_was_cut_and_went_on_is_read_from_its_start(folder: Path) -> None:
    write(folder, range(10))
    reader, restarts = StatsReader(folder), list[None]()
    assert len(list(reader.new_lines(lambda: restarts.append(None)))) == 10
    (folder / STATS).unlink()
    write(folder, range(5))
    write(folder, range(5, 30), more=1.0)
    assert not restarts
    lines = list(reader.new_lines(lambda: restarts.append(None)))
    assert [line["step"] for line in lines] == list(range(30))
    assert len(restarts) == 1
    (folder / STATS).unlink()
    assert not list(reader.new_lines(lambda: restarts.append(None)))
    assert len(restarts) == 2


def test_a_bad_line_is_told_each_time_until_it_is_repaired(folder: Path) -> None:
    (folder / STATS).write_text(f"{GOOD}{{\n")
    reader = StatsReader(folder)
    for _ in range(2):
        with pytest.raises(GanLabError, match="is damaged: move it away"):
            list(reader.new_lines())
    (folder / STATS).write_text(f'{GOOD}{{"step": 2}}\n')
    assert list(reader.new_lines()) == [{"step": 2}]


def test_scores_that_were_made_otherwise_are_left_out(folder: Path) -> None:
    write(folder, (1, 2), **{"metrics/fid": 3.0})
    assert [set(line) for line in StatsReader(folder, 2).new_lines()] == [
        {"step", "loss/generator"},
        {"step", "loss/generator", "metrics/fid"},
    ]
    assert last_scores(folder, 2) == {"fid": 3.0}
    assert last_scores(folder, 3) == {}


def test_the_last_step_and_scores_are_found_from_the_end(
    folder: Path, bytes_read: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (last_step(folder), last_scores(folder)) == (0, {})
    monkeypatch.setattr(stats, "_BLOCK", 64)
    write(folder, range(5000))
    write(folder, [5000], **{"metrics/fid": 2.5, "metrics/kid": 0.5})
    written = write(folder, range(5001, 5011))
    with (folder / STATS).open("a") as file:
        file.write('{"step": 6000, "metrics/f')
    assert last_step(folder) == 5010
    assert bytes_read() <= 4 * 64
    assert last_scores(folder) == {"fid": 2.5, "kid": 0.5}
    assert bytes_read() <= written + 4 * 64
    (folder / STATS).write_text('{"step": 1, "metrics/fid": 1.0}\n')
    assert last_scores(folder) == {"fid": 1.0}
    (folder / STATS).write_text("")
    assert (last_step(folder), last_scores(folder)) == (0, {})
    (folder / STATS).write_text('{"metrics/fid": 1.0}\n')
    with pytest.raises(GanLabError, match="is damaged"):
        last_scores(folder)
