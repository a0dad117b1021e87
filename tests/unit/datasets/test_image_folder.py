"""A folder of the user's images: what is read, how it is cached, and what is said when it cannot be."""

import logging
import os
import shutil
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps, TiffImagePlugin

from gan_lab.datasets import decode
from gan_lab.datasets import image_cache as module
from gan_lab.datasets.decode import Decoder, MemoryBudget
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
    true_decode = Decoder.__call__

    def interrupted(self: Decoder, file: Path) -> Any:
        if file.name == "2.png":
            raise KeyboardInterrupt
        return true_decode(self, file)

    monkeypatch.setattr(Decoder, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_image_folder(str(folder), size=8)
    assert not caches()
    assert not list((cache_dir() / "images").rglob("*.tmp"))

    monkeypatch.setattr(Decoder, "__call__", true_decode)
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
    with pytest.raises(DataError, match=r"^dataset\.path=.*x\.png is a file, and must be a folder"):
        load_image_folder(str(save(folder / "x.png")))
    (folder / "x.png").unlink()
    (folder / "readme.txt").touch()
    with pytest.raises(DataError, match=r"^dataset\.path=.*pictures holds no images, only \.txt$"):
        load_image_folder(str(folder))
    with pytest.raises(DataError, match=r"^dataset\.path=.* cannot be read: File name too long$"):
        load_image_folder("x" * 5000)
    damaged(folder)
    with pytest.raises(
        DataError, match=r"^dataset\.path=.*: none of its 5 files is an image .*: empty\.png: "
    ):
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


def scene(size: int = 40) -> Image.Image:
    """Blue above green, a yellow square top left."""
    pixels = np.zeros((size, size, 3), np.uint8)
    pixels[: size // 2], pixels[size // 2 :] = (90, 160, 255), (40, 160, 60)
    pixels[4 : size // 3, 4 : size // 3] = (255, 230, 0)
    return Image.fromarray(pixels)


GRAY = np.asarray(scene().convert("L"))


def expected_of(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(40, 40) numbers as the bytes that they become, the size unchanged."""
    return ((values.astype(np.float64) - low) / (high - low) * 255).round().clip(0, 255)


def check_pixels(data: Any, index: int, expected: np.ndarray) -> None:
    for channel in data.data[index].double().numpy():
        np.testing.assert_allclose(channel, expected, atol=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_files_of_more_than_8_bits_share_one_range(
    folder: Path, channels: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """12-bit values in 16-bit files, exposed 1, 1/2 and 1/4: neither black nor equally bright."""
    exposures = [GRAY.astype(np.uint16) * scale for scale in (16, 8, 4)]
    for index, values in enumerate(exposures):
        Image.fromarray(values).save(folder / f"{index}.{('png', 'tif')[index % 2]}")
    data = load_image_folder(str(folder), size=40, channels=channels)
    low, high = min(v.min() for v in exposures), max(v.max() for v in exposures)
    for index, values in enumerate(exposures):
        check_pixels(data, index, expected_of(values, low, high))
    line = capsys.readouterr().err
    assert (
        f"3 images, values {low} to {high:,}, the smallest and largest in 3 files of more than 8 bits" in line
    )
    load_image_folder(str(folder), size=40, channels=channels)
    assert capsys.readouterr().err == ""  # said once


def test_signed_integers_and_floats_keep_all_their_values(folder: Path) -> None:
    hounsfield, unit = GRAY.astype(np.int32) * 8 - 1000, GRAY.astype(np.float32) / 127.5 - 1
    for values, name in ((hounsfield, "h"), (unit, "u")):
        (folder / name).mkdir()
        Image.fromarray(values).save(folder / name / "x.tif")
        data = load_image_folder(str(folder / name), size=40)
        check_pixels(data, 0, expected_of(values, values.min(), values.max()))


def test_a_range_that_is_given_is_that_of_every_file(folder: Path) -> None:
    Image.fromarray(GRAY.astype(np.uint16) * 16).save(folder / "a.png")
    Image.fromarray(GRAY // 16).save(folder / "b.png")  # 4 bits in 8-bit files
    data = load_image_folder(str(folder), size=40, range=[0, 15])
    check_pixels(data, 0, expected_of(GRAY.astype(np.uint16) * 16, 0, 15))
    check_pixels(data, 1, expected_of(GRAY // 16, 0, 15))
    deep = load_image_folder(str(folder), size=40, range=[0, 4095])
    check_pixels(deep, 0, expected_of(GRAY.astype(np.uint16) * 16, 0, 4095))
    assert len({data.fingerprint, deep.fingerprint, load_image_folder(str(folder), size=40).fingerprint}) == 3


def test_files_of_8_bits_beside_deeper_ones_keep_their_own_range(folder: Path) -> None:
    Image.fromarray(GRAY).save(folder / "a.png")
    Image.fromarray(GRAY.astype(np.uint16) * 16).save(folder / "b.png")
    data = load_image_folder(str(folder), size=40)
    check_pixels(data, 0, GRAY)
    check_pixels(data, 1, expected_of(GRAY, GRAY.min(), GRAY.max()))


def test_values_that_are_not_finite_do_not_count(folder: Path) -> None:
    values = GRAY.astype(np.float32)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    Image.fromarray(values).save(folder / "a.tif")
    Image.fromarray(np.full((40, 40), np.nan, np.float32)).save(folder / "b.tif")
    data = load_image_folder(str(folder), size=40)
    assert len(data) == 1
    # The filter is that of PIL at the same size: the identity, so only these three pixels differ.
    expected = expected_of(values, GRAY.min(), GRAY.max())
    assert np.abs(data.data[0, 0].double().numpy() - expected)[1:].max() <= 1
    assert data.data[0, 0, 0, :3].tolist() == [0, 255, 0]
    (cache,) = caches()
    assert (cache / "skipped.txt").read_text() == "b.tif: no value in it is a finite number\n"


@pytest.mark.parametrize(
    "value", ["0,255", [0], [0, 1, 2], 5, [1, 1], [2, 1], [0, float("nan")], [True, 2], ["a", 1]]
)
def test_ranges_that_are_none_are_refused(folder: Path, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^dataset\.range.* must be "):
        load_image_folder(str(folder), range=value)


def test_a_set_that_uses_little_of_the_range_is_pointed_out(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dark = GRAY // 16
    dark[0, 0] = 255  # one hot pixel changes nothing
    Image.fromarray(dark).save(folder / "a.png")
    load_image_folder(str(folder), size=40)
    assert f"nearly all are from {GRAY.min() // 16} to {GRAY.max() // 16}: dataset.range=[" in caplog.text
    caplog.clear()
    load_image_folder(str(folder), size=40, range=[0, 15])
    assert caplog.text == ""


def test_16_bits_a_color_are_said_to_be_read_by_their_upper_byte(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Pillow cannot write such a file: a PNG by hand, one row of filter 0 a line.
    pixels = (np.asarray(scene()).astype(np.uint16) * 16).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 40, 40, 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    (folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    data = load_image_folder(str(folder), size=40, range=[0, 4095])
    assert "1 image with 16 bits a color, of which the upper 8 are read" in capsys.readouterr().err
    # 4 of 12 bits are left, so it is coarse, but not dark.
    np.testing.assert_allclose(data.data[0].numpy(), np.asarray(scene()).transpose(2, 0, 1), atol=17)


def test_transparency_that_leaves_nothing_to_see_is_pointed_out(
    folder: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    disc = Image.new("RGBA", (40, 40), (255, 255, 255, 0))
    disc.paste((255, 255, 255, 255), (10, 10, 30, 30))
    disc.save(folder / "x.png")
    white = load_image_folder(str(folder), size=40)
    assert color(white) == [255, 255, 255]
    line = capsys.readouterr().err
    assert "1 image with transparency, on white; 1 image of one flat color" in line
    assert "became one flat color on white: dataset.background=black may show them" in caplog.text
    black = load_image_folder(str(folder), size=40, background="black")
    expected = np.zeros((40, 40))
    expected[10:30, 10:30] = 255
    check_pixels(black, 0, expected)
    assert black.fingerprint != white.fingerprint


@pytest.mark.parametrize("value", ["pink", 3, ["white"], True])
def test_other_backgrounds_are_refused(folder: Path, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^dataset\.background must be one of white, black, gray"):
        load_image_folder(str(folder), background=value)


def test_an_alpha_that_is_not_used_is_no_transparency(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bitmap of 32 bits whose fourth bytes are all 0, as some programs write it."""
    pixels = np.dstack([np.asarray(scene())[::-1, :, ::-1], np.zeros((40, 40), np.uint8)]).tobytes()
    header = struct.pack("<IiiHHIIiiII", 124, 40, 40, 1, 32, 3, len(pixels), 2835, 2835, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs"
    header = header.ljust(124, b"\0")
    start = b"BM" + struct.pack("<IHHI", 138 + len(pixels), 0, 0, 138)
    (folder / "x.bmp").write_bytes(start + header + pixels)
    data = load_image_folder(str(folder), size=40)
    assert np.array_equal(data.data[0].numpy(), np.asarray(scene()).transpose(2, 0, 1))
    assert "1 image with an alpha of 0 everywhere, taken as opaque" in capsys.readouterr().err


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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_that_of_pillow(folder: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for suffix in ("png", "tif", "webp"):
        (folder / suffix).mkdir()
        path = folder / suffix / f"x.{suffix}"
        scene().save(path, exif=exif, **({"lossless": True} if suffix == "webp" else {}))
        with Image.open(path) as stored:
            turned = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
        data = load_image_folder(str(folder / suffix), size=40)
        assert np.array_equal(data.data[0].numpy(), turned.transpose(2, 0, 1))


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


@pytest.mark.parametrize(
    "error",
    [PermissionError(13, "Permission denied"), OSError(5, "Input/output error"), MemoryError("no room")],
)
def test_what_cannot_be_read_for_now_is_not_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    save(folder / "a.png")
    save(folder / "b.png")
    true_open = Image.open

    def locked(file: Any, *rest: Any) -> Any:
        if Path(file).name == "b.png":
            raise error
        return true_open(file, *rest)

    monkeypatch.setattr(Image, "open", locked)
    reason = str(error).split("] ")[-1]
    for _ in range(2):
        with pytest.raises(DataError, match=rf"^dataset\.path=.*: b\.png cannot be read now: {reason}$"):
            load_image_folder(str(folder), size=8)
        assert not caches()
    monkeypatch.setattr(Image, "open", true_open)
    assert len(load_image_folder(str(folder), size=8)) == 2


def test_the_fingerprint_is_of_the_files_content(folder: Path, tmp_path: Path) -> None:
    save(folder / "a.png")
    save(folder / "b.png", (0, 255, 0))
    first = load_image_folder(str(folder), size=8)
    os.utime(folder / "a.png", (1, 1))
    touched = load_image_folder(str(folder), size=8)
    assert touched.stamp != first.stamp
    assert touched.fingerprint == first.fingerprint
    (folder / "notes.txt").write_text("is no image")
    (folder / "bad.png").write_bytes(b"")
    assert load_image_folder(str(folder), size=8).fingerprint == first.fingerprint
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert load_image_folder(str(copy), size=8).fingerprint == first.fingerprint

    prints = {first.fingerprint, load_image_folder(str(folder), size=9).fingerprint}
    prints.add(load_image_folder(str(folder), size=8, channels=1).fingerprint)
    (folder / "a.png").rename(folder / "c.png")  # another order
    prints.add(load_image_folder(str(folder), size=8).fingerprint)
    (folder / "c.png").unlink()
    prints.add(load_image_folder(str(folder), size=8).fingerprint)
    assert len(prints) == 5


def test_threads_share_a_budget_of_memory() -> None:
    budget = MemoryBudget(100)
    taken: list[int] = []
    most: list[int] = []
    lock = threading.Lock()

    def work(size: int) -> None:
        with budget.take(size):
            with lock:
                taken.append(size)
                most.append(sum(taken))
                assert sum(taken) <= 100 or len(taken) == 1
            time.sleep(0.002)
            with lock:
                taken.remove(size)

    sizes = [30, 60, 500, 10, 99, 100, 1, 40, 40] * 4  # 500: more than there is, so it has to be alone
    threads = [threading.Thread(target=work, args=(size,)) for size in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(most) == len(sizes)
    assert not taken


def test_an_image_for_which_there_is_no_memory_stops(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(folder / "x.png", size=(3000, 3000))
    monkeypatch.setattr(decode, "available", lambda: 2**26)
    with pytest.raises(
        DataError, match=r"x\.png cannot be read now: it takes 171 MiB of memory, and 64 MiB is"
    ):
        load_image_folder(str(folder), size=8)
