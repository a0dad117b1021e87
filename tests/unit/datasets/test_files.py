"""Which files of a folder may be images, and the stamp of their names, sizes and times."""

import os
from pathlib import Path

import pytest

from gan_lab.datasets.files import data_stamp, list_images, stamp_files
from gan_lab.utils.errors import DataError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"12345")


def names(folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in list_images(folder).images]


def test_whatever_may_be_an_image_is_listed_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "c.jpg", "a/b.PNG", "a/deep/er/x.psd", "plain", "b.qoi", "raw.bin")
    assert names(tmp_path) == ["a/b.PNG", "a/deep/er/x.psd", "b.qoi", "c.jpg", "plain", "raw.bin"]


def test_files_of_other_kinds_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "notes.txt", "more.TXT", "all.zip", "b/film.mp4", "b/data.json")
    listing = list_images(tmp_path)
    assert names(tmp_path) == ["a.png"]
    assert listing.others == {".txt": 2, ".zip": 1, ".mp4": 1, ".json": 1}


def test_what_systems_and_servers_add_is_not_data(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", ".DS_Store", "._a.png", "Thumbs.db", "desktop.ini", ".hidden/b.png")
    touch(tmp_path, ".ipynb_checkpoints/a-checkpoint.png", "@eaDir/a.png/THUMB.jpg", "__MACOSX/a.png")
    touch(tmp_path, "$RECYCLE.BIN/x.png", "sub/@eaDir/x.png", "sub/x.png")
    listing = list_images(tmp_path)
    assert names(tmp_path) == ["a.png", "sub/x.png"]
    assert not listing.others
    # The folder that was asked for may have any name.
    assert names(tmp_path / ".hidden") == ["b.png"]


def test_a_folder_that_cannot_be_read_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png", "locked/b.png")
    true_scandir = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", path)
        return true_scandir(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"^dataset\.path=.*: .*locked cannot be read: Permission denied$"):
        list_images(tmp_path)


def test_a_stamp_is_of_names_sizes_and_times(tmp_path: Path) -> None:
    touch(tmp_path / "one", "a.png", "b/c.png", "notes.txt")
    (tmp_path / "one").rename(tmp_path / "two")  # wherever the folder is
    node = {"path": str(tmp_path / "two"), "size": 64}
    stamp = data_stamp(node)
    files = list_images(tmp_path / "two").images
    assert stamp == stamp_files(tmp_path / "two", files) == data_stamp(node)
    (tmp_path / "two" / "notes.txt").unlink()
    assert data_stamp(node) == stamp

    file = tmp_path / "two" / "a.png"
    time = file.stat().st_mtime_ns
    stamps = {stamp}
    os.utime(file, ns=(time + 1, time + 1))
    stamps.add(data_stamp(node))
    file.write_bytes(b"123456")
    os.utime(file, ns=(time, time))
    stamps.add(data_stamp(node))
    file.write_bytes(b"12345")
    os.utime(file, ns=(time, time))
    assert data_stamp(node) == stamp
    file.rename(file.with_name("0.png"))
    stamps.add(data_stamp(node))
    (tmp_path / "two" / "0.png").unlink()
    stamps.add(data_stamp(node))
    assert len(stamps) == 5


@pytest.mark.parametrize("path", [None, "", "no/such", 17, "x" * 5000, "a\0b"])
def test_data_that_are_not_in_a_folder_have_no_stamp(path: object) -> None:
    assert data_stamp({"path": path}) is None
    assert data_stamp({"name": "ring"}) is None
