"""Checkpoints that are damaged in any way, and file systems with too little room for a beginning."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.experiments import TINY_POINTS
from tests.helpers.killing import EVERYTHING_OFTEN, Starter, differences, run_folder, traces

WORDS = (*TINY_POINTS, *EVERYTHING_OFTEN)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def checksum(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "half written": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "one bit": flip,
    "no checksum": lambda path: checksum(path).unlink(),
    "an empty checksum": lambda path: checksum(path).write_bytes(b""),
    "a checksum that is no text": lambda path: checksum(path).write_bytes(b"\xff\xfe\x00"),
    "checksum of another": lambda path: checksum(path).write_text(f"{'0' * 64}  {path.name}\n"),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_the_checkpoint_before_a_damaged_one_is_used(
    damage: str, starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    starter.stop(tmp_path, WORDS, 30, signal.SIGKILL)
    DAMAGES[damage](run_folder(tmp_path) / "checkpoint" / "step_00000028.pt")
    (tmp_path / "err").write_text("")
    starter.finish(tmp_path, WORDS)
    (warning,) = (tmp_path / "err").read_text().splitlines()
    assert warning.endswith("step_00000028.pt is damaged: resuming from the one before it")
    assert "from step 21 to 40" in (run_folder(tmp_path) / "train.log").read_text()
    assert not differences(expected, traces(tmp_path))


def test_new_checkpoints_count_where_all_old_ones_are_damaged(
    starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    starter.stop(tmp_path, WORDS, 30, signal.SIGKILL)
    for path in (run_folder(tmp_path) / "checkpoint").glob("step_*.pt"):
        flip(path)
    (tmp_path / "err").write_text("")
    starter.stop(tmp_path, WORDS, 16, signal.SIGKILL)
    assert "step_00000021.pt is damaged: starting from the beginning" in (tmp_path / "err").read_text()
    starter.finish(tmp_path, WORDS)
    assert "from step 14 to 40" in (run_folder(tmp_path) / "train.log").read_text()
    assert not differences(expected, traces(tmp_path))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


# Kilobytes: not even for Hydra's files, for part of them, for a log, for some steps, for some checkpoints.
@pytest.mark.parametrize("room", [0, 8, 16, 40, 112, 256])
def test_a_disk_with_so_little_room_is_said_in_one_sentence(
    room: int, starter: Starter, expected: dict[str, object], small_disk: Path, tmp_path: Path
) -> None:
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    with filler.open("r+b") as file:
        file.truncate(filler.stat().st_size - room * 1024)
    process = starter.start(small_disk, WORDS, output=tmp_path)
    process.join(60)
    assert process.exitcode in (1, 2)
    (sentence,) = (tmp_path / "err").read_text().splitlines()
    assert sentence.startswith("gan-lab: ")
    assert "No space left on device" in sentence
    assert str(small_disk) in sentence or "outputs/ring/" in sentence
    filler.unlink()
    status = small_disk.glob("outputs/*/*/status.json")
    assert all(json.loads(path.read_text())["state"] in ("running", "failed") for path in status)
    starter.finish(small_disk, WORDS)
    assert not differences(expected, traces(small_disk))
