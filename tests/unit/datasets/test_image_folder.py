"""A folder of the user's images: what is read, how it is cached, and what is said when it cannot be."""

import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import torch
from PIL import Image, ImageOps

from gan_lab.datasets.files import data_stamp
from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.utils.errors import ConfigurationError, DataError
from tests.helpers.pictures import RED, caches, check_pixels, color, damaged, save, scene


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
    # Pillow cuts values off at 0 and 255 between the two directions. Version 13 begins with the longer one,
    # older ones always across.
    bound = 0 if int(PIL.__version__.partition(".")[0]) >= 13 else 4
    torch.testing.assert_close(tall, wide.transpose(1, 2), rtol=0, atol=bound)


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
