"""A folder of the user's images: what is read, how it is cached, and what is said when it cannot be."""

import logging
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, TiffImagePlugin

from gan_lab.datasets import image_folder as module
from gan_lab.datasets.files import data_stamp
from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.utils.errors import ConfigurationError, DataError
from gan_lab.utils.paths import cache_dir

RED = (255, 0, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


def save(
    path: Path, color: Any = RED, mode: str = "RGB", size: tuple[int, int] = (20, 12), **kw: Any
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **kw)
    return path


def color(data: Any, index: int = 0) -> list[int]:
    """The color of an image of one color."""
    pixels = data.data[index].flatten(1).int()
    assert (pixels.amax(1) - pixels.amin(1)).max() <= 1
    return pixels[:, 0].tolist()


def caches() -> list[Path]:
    return sorted(path.parent for path in (cache_dir() / "images").rglob("images.npy"))


def test_images_of_every_size_and_depth_of_folder_are_found_in_order(folder: Path) -> None:
    save(folder / "b.JPG", (0, 255, 0), size=(300, 100), quality=100, subsampling=0)
    save(folder / "a" / "deep" / "er" / "x.png", RED, size=(8, 30))
    save(folder / "c.webp", (0, 0, 255), size=(3, 2), lossless=True)
    (folder / "notes.txt").write_text("not an image")
    data = load_image_folder(str(folder), size=16)
    assert data.shape == (3, 16, 16)
    assert len(data) == 3
    assert data.name == "image_folder"
    assert data.stamp == data_stamp({"path": str(folder)})
    assert data.data.dtype == torch.uint8
    assert [np.argmax(color(data, i)) for i in range(3)] == [0, 1, 2]
    torch.testing.assert_close(
        data.batch(torch.tensor([[0], [2]]))[:, 0, :, 5, 5], torch.tensor([[1.0, -1, -1], [-1, -1, 1]])
    )


def test_the_short_side_is_resized_and_the_middle_cut_out(folder: Path) -> None:
    # 60 x 20: 20 red, 20 with green above blue, 20 red. The middle has no red.
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[..., 0] = 255
    pixels[:10, 20:40] = (0, 255, 0)
    pixels[10:, 20:40] = (0, 0, 255)
    Image.fromarray(pixels).save(folder / "wide.png")
    Image.fromarray(pixels.transpose(1, 0, 2).copy()).save(folder / "tall.png")
    tall, wide = load_image_folder(str(folder), size=10).data.int()
    assert wide[0].max() < 20  # the filter looks a little over the edge, as if resized and then cut
    assert wide[0, :, 1:-1].max() < 3
    assert wide[1, :4].min() > 230
    assert wide[2, 6:].min() > 230
    assert torch.equal(tall, wide.transpose(1, 2))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("mode", "value", "suffix", "expected"),
    [
        ("1", 1, "png", 255),
        ("L", 77, "png", 77),
        ("LA", (77, 255), "png", 77),
        ("LA", (77, 0), "png", 255),  # fully transparent: white
        ("P", 77, "gif", 77),
        ("RGB", (90, 90, 90), "bmp", 90),
        ("RGBA", (90, 90, 90, 255), "png", 90),
        ("RGBA", (90, 90, 90, 0), "png", 255),
        ("RGBA", (0, 0, 0, 128), "png", 127),
        ("CMYK", (0, 0, 0, 55), "tif", 200),
        ("I;16", 65535, "png", 255),
        ("I;16", 257 * 40, "png", 40),
        ("I;16", 257 * 40, "tif", 40),
        ("I", 257 * 40, "tif", 40),
        ("F", 0.5, "tif", 128),
        ("F", 128.0, "tif", 128),
    ],
)
def test_every_mode_becomes_grey_or_color(
    folder: Path, mode: str, value: Any, suffix: str, expected: int, channels: int
) -> None:
    image = Image.new(mode, (20, 12), value)
    if mode == "P":
        image.putpalette([level for k in range(256) for level in (k, k, k)])
    image.save(folder / f"x.{suffix}")
    data = load_image_folder(str(folder), size=8, channels=channels)
    assert data.shape == (channels, 8, 8)
    assert color(data) == pytest.approx([expected] * channels, abs=1)


def test_a_transparent_palette_color_is_white(folder: Path) -> None:
    image = Image.new("P", (20, 12), 3)
    image.putpalette([10] * 768)
    image.save(folder / "x.png", transparency=3)
    assert color(load_image_folder(str(folder), size=8)) == [255, 255, 255]


def test_grey_is_the_luma_of_itu_601(folder: Path) -> None:
    save(folder / "x.png", (200, 100, 50))
    expected = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert color(load_image_folder(str(folder), size=8, channels=1)) == pytest.approx([expected], abs=1)


def test_exif_rotation_is_applied(folder: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = 255  # stored with white above; orientation 3 says it was held upside down
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(pixels).save(folder / "x.jpg", exif=exif, quality=100)
    image = load_image_folder(str(folder), size=16).data[0].int()
    assert image[:, :6].max() < 20
    assert image[:, 10:].min() > 235


def test_the_cache_lies_outside_the_folder_and_is_read_only_mapped(folder: Path) -> None:
    save(folder / "x.png")
    before = sorted(folder.rglob("*"))
    load_image_folder(str(folder), size=8)
    assert sorted(folder.rglob("*")) == before
    (cache,) = caches()
    assert cache.is_relative_to(cache_dir())
    mapped = np.load(cache / "images.npy", mmap_mode="r")
    assert mapped.shape == (1, 3, 8, 8)
    assert not list(cache.parent.glob("*.tmp"))


def test_a_second_opening_decodes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(5):
        save(folder / f"{i}.png", (i, 0, 0))
    (folder / "bad.png").write_bytes(b"")
    first = load_image_folder(str(folder), size=8)

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(Image, "open", refuse)
    monkeypatch.setattr(module, "_build", refuse)
    monkeypatch.chdir(folder)
    for path in (str(folder), f"{folder}/../pictures/", "."):
        assert torch.equal(load_image_folder(path, size=8).data, first.data)


def test_a_changed_folder_is_read_again_and_the_stale_cache_removed(folder: Path) -> None:
    x = save(folder / "x.png", RED)
    old = load_image_folder(str(folder), size=8)
    (stale,) = caches()

    save(folder / "y.png", (0, 255, 0))
    assert len(load_image_folder(str(folder), size=8)) == 2
    assert not stale.exists()

    time_before = x.stat().st_mtime_ns
    save(x, (0, 0, 255))
    os.utime(x, ns=(time_before + 1, time_before + 1))
    assert color(load_image_folder(str(folder), size=8)) == [0, 0, 255]

    (folder / "y.png").unlink()
    assert len(load_image_folder(str(folder), size=8)) == 1
    assert len(caches()) == 1
    assert color(old) == [255, 0, 0]  # whoever still reads the old one is not disturbed


def test_sizes_and_channels_have_caches_of_their_own(folder: Path, tmp_path: Path) -> None:
    save(folder / "x.png")
    save(tmp_path / "others" / "x.png", (0, 255, 0))
    load_image_folder(str(folder), size=8)
    load_image_folder(str(folder), size=9)
    load_image_folder(str(folder), size=8, channels=1)
    load_image_folder(str(tmp_path / "others"), size=8)
    assert len(caches()) == 4
    assert color(load_image_folder(str(folder), size=8)) == list(RED)


def test_an_interrupted_build_is_not_mistaken_for_a_cache(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        save(folder / f"{i}.png")
    true_decode = module._decode

    def interrupted(file: Path, *rest: int) -> Any:
        if file.name == "2.png":
            raise KeyboardInterrupt
        return true_decode(file, *rest)

    monkeypatch.setattr(module, "_decode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_image_folder(str(folder), size=8)
    assert not caches()
    assert not list((cache_dir() / "images").rglob("*.tmp"))

    monkeypatch.setattr(module, "_decode", true_decode)
    assert len(load_image_folder(str(folder), size=8)) == 3
    # What a killed process leaves, which could not clean up, goes with the next build.
    (cache,) = caches()
    left = cache.rename(cache.with_name("0123456789abcdef.tmp"))
    assert len(load_image_folder(str(folder), size=8)) == 3
    assert not left.exists()
    assert len(caches()) == 1


def test_a_full_disk_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder / "x.png")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_write_header", full)
    with pytest.raises(DataError, match=r"cache .* cannot be used: No space left on device \(GAN_LAB_CACHE="):
        load_image_folder(str(folder), size=8)


def damaged(folder: Path) -> int:
    """Files of every kind that cannot be read; how many."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    (folder / "whole.jpg").unlink()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("this is no image")
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    os.mkfifo(folder / "pipe.png")
    return 5


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
        assert record.getMessage().startswith(f"skipped {count} of {count + 2} image files: ")
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


def test_jobs_that_start_together_decode_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(4):
        save(folder / f"{i}.png", (i, 0, 0))
    builds: list[int] = []
    true_build = module._build

    def counted(*arguments: Any) -> None:
        builds.append(1)
        true_build(*arguments)

    monkeypatch.setattr(module, "_build", counted)
    lengths: list[int] = []
    threads = [
        threading.Thread(target=lambda: lengths.append(len(load_image_folder(str(folder), size=8))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert lengths == [4] * 4
    assert len(builds) == 1


@pytest.mark.parametrize("path", [None, ""])
def test_the_path_must_be_given(path: str | None) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^dataset\.path must name a folder of images, got nothing$"
    ):
        load_image_folder(path)


def test_folders_that_cannot_be_used_are_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"^dataset\.path=no/such does not exist$"):
        load_image_folder("no/such")
    with pytest.raises(DataError, match=r"^dataset\.path=17 does not exist$"):
        load_image_folder(17)  # type: ignore[arg-type]  # `dataset.path=17` is a number to Hydra
    with pytest.raises(DataError, match=r"^dataset\.path=.*x\.png is a file, and must be a folder"):
        load_image_folder(str(save(folder / "x.png")))
    (folder / "x.png").unlink()
    (folder / "readme.txt").touch()
    with pytest.raises(DataError, match=r"^dataset\.path=.*pictures holds no images"):
        load_image_folder(str(folder))
    with pytest.raises(DataError, match=r"^dataset\.path=.* cannot be read: File name too long$"):
        load_image_folder("x" * 5000)
    damaged(folder)
    with pytest.raises(DataError, match=r"^none of the 5 images in .* can be read: empty\.png: not an image"):
        load_image_folder(str(folder))
    assert not caches()

    def refused(where: Any) -> Any:
        raise PermissionError(13, "Permission denied", os.fspath(where))

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match=r"^dataset\.path=.* cannot be read: Permission denied$"):
        load_image_folder(str(folder))


@pytest.mark.parametrize("size", [3, 1025, 64.0, "64", None, True])
def test_sizes_out_of_range_are_refused(folder: Path, size: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^dataset\.size must be .* 4 to 1024, got {size!r}$"):
        load_image_folder(str(folder), size=size)


@pytest.mark.parametrize("channels", [0, 2, 4, "3", 3.0, None, True])
def test_other_channels_are_refused(folder: Path, channels: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^dataset\.channels must be 1 or 3, got {channels!r}$"):
        load_image_folder(str(folder), channels=channels)
