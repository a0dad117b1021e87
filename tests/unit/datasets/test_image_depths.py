"""Images of more than 8 bits: the range that becomes [-1, 1]."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.pictures import caches, check_pixels, scene

GRAY = np.asarray(scene().convert("L"))


def expected_of(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """(40, 40) numbers as the bytes that they become, the size unchanged."""
    return ((values.astype(np.float64) - low) / (high - low) * 255).round().clip(0, 255)


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
