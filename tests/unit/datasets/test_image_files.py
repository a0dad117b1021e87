"""Files that are no images, or unusual ones: what is skipped, what is read all the same, and what is said."""

import logging
import os
import struct
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from gan_lab.datasets import image_cache as module
from gan_lab.datasets.image_folder import load_image_folder
from tests.helpers.pictures import caches, color, damaged, save, scene


def test_unreadable_files_are_skipped_and_listed(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    count = damaged(folder)
    save(folder / "good.png")
    save(folder / "very good.png", (0, 255, 0))
    for _ in range(2):  # decoding, and from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger=module.__name__):
            data = load_image_folder(str(folder), size=8)
        assert len(data) == 2
        assert [color(data, i) for i in range(2)] == [[255, 0, 0], [0, 255, 0]]
        (record,) = caplog.records
        assert f": skipped {count} of {count + 2} image files: " in record.getMessage()
    (cache,) = caches()
    assert str(cache / "skipped.txt") in record.getMessage()
    listed = dict(line.split(": ", 1) for line in (cache / "skipped.txt").read_text().splitlines())
    assert sorted(listed) == ["empty.png", "gone.png", "pipe.png", "text.png", "truncated.jpg"]
    assert listed["text.png"] == "not an image that Pillow knows"
    assert "truncated" in listed["truncated.jpg"]
    # The array is as long as what was read: a header and nothing more.
    assert (cache / "images.npy").stat().st_size == 128 + 2 * 3 * 8 * 8


@pytest.mark.parametrize("times", [1.5, 3])
def test_decompression_bombs_are_skipped(folder: Path, monkeypatch: pytest.MonkeyPatch, times: float) -> None:
    save(folder / "bomb.png", size=(100, int(times * 10)))
    save(folder / "good.png", size=(20, 20))
    # Pillow warns above this limit, and raises above twice as many pixels.
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert len(load_image_folder(str(folder), size=8)) == 1
    (cache,) = caches()
    assert "decompression bomb" in (cache / "skipped.txt").read_text()


def test_an_exception_of_any_kind_in_a_decoder_skips_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / "odd.png")
    save(folder / "good.png")
    true_open = Image.open

    def odd(file: Any, *rest: Any) -> Any:
        if Path(file).name == "odd.png":
            raise KeyError(TiffImagePlugin.STRIPOFFSETS)
        return true_open(file, *rest)

    monkeypatch.setattr(Image, "open", odd)
    assert len(load_image_folder(str(folder), size=8)) == 1


def test_names_that_are_no_text_are_no_hindrance(folder: Path) -> None:
    where = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9"))
    where.mkdir()
    save(where / "x.png")
    (where / "y.png").write_bytes(b"")
    assert len(load_image_folder(str(folder), size=8)) == 1
    assert len(load_image_folder(str(where), size=8)) == 1


def test_loops_of_links_end_and_links_to_folders_are_followed(folder: Path, tmp_path: Path) -> None:
    save(folder / "a" / "x.png")
    save(tmp_path / "elsewhere" / "y.png")
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "self").symlink_to("self")
    (folder / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "back").symlink_to(folder, target_is_directory=True)
    done: list[int] = []
    thread = threading.Thread(
        target=lambda: done.append(len(load_image_folder(str(folder), size=8))), daemon=True
    )
    thread.start()
    thread.join(20)
    assert done == [2]


def test_of_a_stack_the_first_page_is_taken_and_that_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [Image.new("RGB", (40, 40), name) for name in ("red", "blue")]
    for suffix in ("tif", "gif", "png", "webp"):
        options = {} if suffix == "tif" else {"lossless": True}
        scene().save(folder / f"x.{suffix}", save_all=True, append_images=pages, **options)
    data = load_image_folder(str(folder), size=40)
    assert "4 stacks of which the first page" in capsys.readouterr().err
    for index in range(4):
        np.testing.assert_allclose(data.data[index].numpy(), np.asarray(scene()).transpose(2, 0, 1), atol=8)


def test_bad_exif_costs_no_pixels(folder: Path) -> None:
    """A negative number in a tag that has nothing to do with orientation; and a tag that is cut off."""
    entry = struct.pack("<HHIi", 0x100, 9, 1, -5)
    start = b"Exif\0\0II*\0\x08\0\0\0"
    scene().save(folder / "a.jpg", exif=start + struct.pack("<H", 1) + entry + b"\0\0\0\0", quality=100)
    scene().save(folder / "b.jpg", exif=start + struct.pack("<H", 9) + entry[:5], quality=100)
    data = load_image_folder(str(folder), size=40)
    for image in data.data.double().numpy():
        assert np.abs(image - np.asarray(scene()).transpose(2, 0, 1)).mean() < 8


def test_what_pillow_can_open_is_an_image_whatever_its_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kinds = {"plain": "PNG", "x.dat": "TIFF", "x.pcx": "PCX", "x.tga": "TGA", "y.ico": "ICO"}
    for name, kind in kinds.items():
        scene().save(folder / name, format=kind)
    (folder / "notes.txt").write_text("text")
    (folder / "film.mp4").write_bytes(b"1")
    for index in range(3):
        (folder / f"{index}.heic").write_bytes(b"no decoder of Pillow's own")
    (folder / "model").write_bytes(b"weights")
    data = load_image_folder(str(folder), size=40)
    assert len(data) == 5
    for image in data.data.numpy():
        # An icon is stored smaller, so its edges are soft.
        assert np.abs(image - np.asarray(scene(), dtype=float).transpose(2, 0, 1)).mean() < 4
    line = capsys.readouterr().err
    assert "5 images, values 0 to 255; 6 files of other kinds (.heic 3, " in line
