"""What disks and clocks do to a run: full, read-only, vanished, half written, and gone back in time."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.experiments import TINY_POINTS
from tests.helpers.killing import (
    EVERYTHING_OFTEN,
    Starter,
    differences,
    events,
    read_lines,
    read_status,
    run_folder,
    traces,
)

WORDS = (*TINY_POINTS, *EVERYTHING_OFTEN, "steps=400")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["mount", "-o", "remount,rw", place], check=True)
    subprocess.run(["umount", "--lazy", place], check=True)


def wait_for_lines(folder: Path, number: int) -> None:
    """Until the run has a checkpoint and so many lines in its log."""
    deadline = time.monotonic() + 90
    while read_status(folder) is None or len(read_lines(folder)) < number:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def said(folder: Path) -> str:
    """The one sentence with which a run ended."""
    lines = [line for line in (folder / "err").read_text().splitlines() if line.strip()]
    text = "\n".join(lines)
    assert "Traceback" not in text, text
    assert lines[-1].startswith("gan-lab: "), text
    return lines[-1]


def fill(place: Path) -> Path:
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    return filler


def test_a_full_disk_costs_nothing_but_time(
    starter: Starter, expected: dict[str, object], small_disk: Path
) -> None:
    folder = small_disk / "run"
    process = starter.start(folder, WORDS)
    wait_for_lines(folder, 30)
    (folder / "err").write_text("")
    filler = fill(small_disk)
    process.join(60)
    assert process.exitcode == 1, (folder / "err").read_text()
    checkpoints = sorted((run_folder(folder) / "checkpoint").glob("step_*.pt"))
    assert checkpoints
    for path in checkpoints:
        subprocess.run(
            ["sha256sum", "--check", "--status", f"{path.name}.sha256"], cwd=path.parent, check=True
        )
    filler.unlink()
    starter.finish(folder, WORDS)
    assert not differences(expected, traces(folder))


def test_a_full_disk_is_said_in_one_sentence(small_disk: Path, tmp_path: Path) -> None:
    os.chdir(small_disk)
    Path("outputs").mkdir()
    filler = fill(small_disk)
    with filler.open("r+b") as file:  # room for the beginning of a run, not for its checkpoints
        file.truncate(filler.stat().st_size - 60_000)
    done = subprocess.run(
        [sys.executable, "-m", "gan_lab", "train", *WORDS],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.chdir(tmp_path)
    assert done.returncode in (1, 2)
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("gan-lab: ")


def test_a_disk_that_becomes_read_only_is_said_and_the_run_goes_on_later(
    starter: Starter, expected: dict[str, object], small_disk: Path, tmp_path: Path
) -> None:
    process = starter.start(small_disk, WORDS)
    wait_for_lines(small_disk, 30)
    assert process.pid is not None
    os.kill(process.pid, 9)  # what is open for writing would keep the disk from becoming read-only
    process.join()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "gan_lab", "train", *WORDS], capture_output=True, text=True, cwd=small_disk
    )
    assert done.returncode == 2
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    starter.finish(small_disk, WORDS)
    assert not differences(expected, traces(small_disk))


def test_a_folder_that_vanishes_is_said(starter: Starter, tmp_path: Path) -> None:
    process = starter.start(tmp_path, WORDS)
    wait_for_lines(tmp_path, 30)
    (tmp_path / "err").write_text("")
    run_folder(tmp_path).rename(tmp_path / "elsewhere")
    process.join(60)
    assert process.exitcode == 1
    assert "No such file or directory" in said(tmp_path)


def test_a_clock_that_goes_backwards_doubles_nothing(
    starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    process = starter.start(tmp_path, WORDS)
    wait_for_lines(tmp_path, 30)
    assert process.pid is not None
    os.kill(process.pid, 9)
    process.join()
    # As if the first sitting had been tomorrow.
    tomorrow = int(time.time()) + 86_400
    for path in run_folder(tmp_path).glob("seed_*/events.out.tfevents.*"):
        _, rest = path.name.removeprefix("events.out.tfevents.").split(".", 1)
        path.rename(path.with_name(f"events.out.tfevents.{tomorrow}.{rest}"))
        os.utime(path.with_name(f"events.out.tfevents.{tomorrow}.{rest}"), (tomorrow, tomorrow))
    starter.finish(tmp_path, WORDS)
    assert not differences(expected, traces(tmp_path))
    steps = [step for step, _ in events(run_folder(tmp_path) / "seed_0")["2_loss/generator"]]
    assert steps == list(range(1, 401))


@pytest.mark.parametrize("damaged", [1, 2], ids=["the last one", "both"])
def test_damaged_checkpoints_are_named_and_the_bits_are_the_same(
    damaged: int, starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    process = starter.start(tmp_path, WORDS)
    wait_for_lines(tmp_path, 30)
    assert process.pid is not None
    os.kill(process.pid, 9)
    process.join()
    newest_first = sorted((run_folder(tmp_path) / "checkpoint").glob("step_*.pt"), reverse=True)
    for path in newest_first[:damaged]:
        path.write_bytes(path.read_bytes()[:-7])
    (run_folder(tmp_path) / ".status.json.4711.tmp").write_text("half a sta")
    (tmp_path / "err").write_text("")
    starter.finish(tmp_path, WORDS)
    warned = (tmp_path / "err").read_text()
    for path in newest_first[:damaged]:
        assert f"{path.name} is damaged" in warned
    log = (run_folder(tmp_path) / "train.log").read_text()
    assert f"{newest_first[0].name} is damaged" in log
    if damaged == 2:
        assert "from step 0 to 400" in log.splitlines()[-2]
    assert not differences(expected, traces(tmp_path))


def test_what_is_missing_after_the_last_checkpoint_is_made_up(
    starter: Starter, expected: dict[str, object], tmp_path: Path
) -> None:
    """As a kill between the last checkpoint and the end leaves it."""
    starter.finish(tmp_path, WORDS)
    run = run_folder(tmp_path)
    status = json.loads((run / "status.json").read_text())
    (run / "status.json").write_text(json.dumps({**status, "state": "running", "step": 399}))
    for seed in ("seed_0", "seed_1"):
        (run / seed / "results.json").unlink()
        (run / seed / "generator.safetensors").write_bytes(b"older")
    starter.finish(tmp_path, WORDS)
    assert not differences(expected, traces(tmp_path))
