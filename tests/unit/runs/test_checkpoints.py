"""Checkpoints: whole, checked, and so many of them."""

import logging
from pathlib import Path

import pytest
import torch

from gan_lab.runs import checkpoints
from gan_lab.runs.checkpoint_files import checkpoint_files, step_of
from gan_lab.utils.errors import GanLabError

IDENTITY = "0f" * 32


def saved(folder: Path, *steps: int, keep: int = 2) -> Path:
    for step in steps:
        content = {"weights": [torch.full((3,), float(step))], "note": "n"}
        checkpoints.save(folder, step, IDENTITY, content, keep)
    return folder


def test_the_last_ones_are_kept_and_the_newest_is_read(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint", 1, 2, 3)
    assert sorted(p.name for p in folder.iterdir()) == [
        "step_00000002.pt",
        "step_00000002.pt.sha256",
        "step_00000003.pt",
        "step_00000003.pt.sha256",
    ]
    content = checkpoints.load_latest(folder, IDENTITY)
    assert content is not None
    assert content["step"] == 3
    assert content["weights"][0].tolist() == [3, 3, 3]
    assert checkpoints.load_latest(tmp_path / "nothing", IDENTITY) is None
    saved(folder, 4, 5, keep=4)
    assert [p.name for p in sorted(folder.glob("*.pt"))] == [f"step_0000000{n}.pt" for n in (2, 3, 4, 5)]
    saved(folder, 6, keep=1)
    assert sorted(p.name for p in folder.iterdir()) == ["step_00000006.pt", "step_00000006.pt.sha256"]


def test_checkpoints_of_a_later_step_go_they_were_damaged(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint", 99_999_999, 100_000_000, 100_000_001)
    assert [step_of(p) for p in checkpoint_files(folder)] == [100_000_000, 100_000_001]
    saved(folder, 5)
    assert sorted(p.name for p in folder.iterdir()) == ["step_00000005.pt", "step_00000005.pt.sha256"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "without sum"])
def test_a_damaged_one_is_named_and_the_one_before_is_used(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = saved(tmp_path / "checkpoint", 1, 2)
    newest = folder / "step_00000002.pt"
    data = newest.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    newest.write_bytes({"cut": data[:middle], "flipped": flipped, "empty": b""}.get(damage, data))
    if damage == "without sum":
        (folder / "step_00000002.pt.sha256").unlink()
    with caplog.at_level(logging.WARNING):
        content = checkpoints.load_latest(folder, IDENTITY)
    assert content is not None
    assert content["step"] == 1
    assert "step_00000002.pt is damaged" in caplog.text


@pytest.mark.parametrize(("number", "age"), [(99, "newer"), (1, "older")])
def test_a_format_that_is_not_understood_is_refused(
    number: int, age: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "CHECKPOINT_FORMAT", number)
        folder = saved(tmp_path / "checkpoint", 1)
    sentence = rf"{age} version of gan-lab \(format {number}; this one reads format 3\): rerun=true starts"
    with pytest.raises(GanLabError, match=sentence):
        checkpoints.load_latest(folder, IDENTITY)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "checkpoint", 1)
    sentence = "step_00000001.pt is the checkpoint of a run of another configuration: rerun=true starts over"
    with pytest.raises(GanLabError, match=sentence):
        checkpoints.load_latest(folder, "f0" * 32)
