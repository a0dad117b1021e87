"""The user's own images: every kind is decoded as it should be, once, and what is broken is named."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lab.datasets.image_folder import image_folder
from gan_lab.errors import GanLabError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six good images of different kinds, in two folders."""
    source = tmp_path / "pictures"
    (source / "deeper").mkdir(parents=True)
    Image.new("RGB", (40, 20), (255, 0, 0)).save(source / "a.png")
    Image.new("L", (20, 40), 128).save(source / "b.jpg")
    Image.new("RGBA", (9, 9), (0, 0, 255, 255)).save(source / "deeper/c.png")
    Image.new("RGB", (16, 16), (0, 255, 0)).convert("P").save(source / "deeper/d.gif")
    Image.fromarray(np.full((12, 12), 65535, dtype=np.uint16)).save(source / "e.png")
    Image.new("CMYK", (16, 16), (0, 0, 0, 255)).save(source / "f.jpg")
    (source / "notes.txt").write_text("not an image, and not meant to be one")
    return source


def test_every_kind_of_image_becomes_what_it_shows(folder: Path) -> None:
    images = image_folder(str(folder), size=8)
    assert images.data.shape == (6, 3, 8, 8)
    assert images.data.dtype == torch.uint8
    # Sorted by path: a, b, deeper/c, deeper/d, e, f; each is one colour all over.
    colours = [tuple(image[:, 4, 4].tolist()) for image in images.data]
    for seen, expected in zip(
        colours,
        [(255, 0, 0), (128,) * 3, (0, 0, 255), (0, 255, 0), (255,) * 3, (0,) * 3],
        strict=True,
    ):
        assert seen == pytest.approx(expected, abs=2)
    batch = images.batch(torch.tensor([[0, 2], [2, 0]]))
    assert batch.shape == (2, 2, 3, 8, 8)
    assert batch[0, 0, :, 0, 0].tolist() == [1, -1, -1]
    assert image_folder(str(folder), size=8, channels=1).shape == (1, 8, 8)


def test_the_middle_is_cut_out_of_a_long_image(tmp_path: Path) -> None:
    strip = np.zeros((8, 24, 3), dtype=np.uint8)
    strip[:, 8:16] = 255
    (tmp_path / "strips").mkdir()
    Image.fromarray(strip).save(tmp_path / "strips/strip.png")
    assert image_folder(str(tmp_path / "strips"), size=8).data.min() == 255


def test_transparent_and_turned_images(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(tmp_path / "odd/clear.png")
    turned = np.zeros((8, 8, 3), dtype=np.uint8)
    turned[:, :4] = 255  # left half white
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned a quarter clockwise: the top half is white
    Image.fromarray(turned).save(tmp_path / "odd/turned.png", exif=exif)
    clear, turn = image_folder(str(tmp_path / "odd"), size=8).data
    assert clear.min() == 255
    assert (turn[:, 0, 6].tolist(), turn[:, 7, 1].tolist()) == ([255] * 3, [0] * 3)


def test_a_second_opening_decodes_nothing_and_a_changed_file_everything(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = image_folder(str(folder), size=8).data.clone()
    listed = sorted(p.name for p in folder.rglob("*"))

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("decoded again")

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", refuse)
        assert torch.equal(image_folder(str(folder), size=8).data, before)
    Image.new("RGB", (40, 20), (0, 0, 255)).save(folder / "a.png")
    assert image_folder(str(folder), size=8).data[0, :, 4, 4].tolist() == [0, 0, 255]
    # Nothing was written among the images, and the stale cache is gone.
    assert sorted(p.name for p in folder.rglob("*")) == listed
    assert len(list((tmp_path / "cache").rglob("images.npy"))) == 1


def test_an_interrupted_build_is_not_mistaken_for_a_cache(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    original, opened = Image.open, []

    def give_up(path: Path, *args: object) -> Image.Image:
        opened.append(path)
        if len(opened) > 3:
            raise KeyboardInterrupt
        return original(path)

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", give_up)
        with pytest.raises(KeyboardInterrupt):
            image_folder(str(folder), size=8)
    assert not list((tmp_path / "cache").rglob("images.npy"))
    assert len(image_folder(str(folder), size=8)) == 6
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_what_cannot_be_read_is_skipped_and_listed(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = folder / "b.jpg"
    Image.effect_noise((200, 200), 50).save(whole)
    (folder / "cut.jpg").write_bytes(whole.read_bytes()[:2000])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("hello")
    Image.new("L", (150, 150)).save(folder / "bomb.png")
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "loop").symlink_to(folder)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 150 * 150 * 2 // 3)
    whole.unlink()
    with caplog.at_level(logging.WARNING):
        images = image_folder(str(folder), size=8)
    assert len(images) == 5
    (listing,) = (tmp_path / "cache").rglob("skipped.txt")
    named = [line.split(":")[0] for line in listing.read_text().splitlines()]
    assert named == ["bomb.png", "cut.jpg", "empty.png", "gone.png", "text.png"]
    assert "5 images skipped" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"path": None}, "dataset.path must name a folder of images"),
        ({"path": "nowhere"}, "dataset.path=nowhere does not exist"),
        ({"path": "pictures/notes.txt"}, "is a file, and must be a folder"),
        ({"path": "void"}, "holds no images"),
        ({"path": "broken"}, "none of the 1 images in"),
        ({"path": "pictures", "size": 2}, "dataset.size must be a whole number from 4 to 1024, got 2"),
        ({"path": "pictures", "channels": 2}, "dataset.channels must be 1 or 3, got 2"),
    ],
)
def test_a_folder_that_cannot_be_used_is_said(
    folder: Path, tmp_path: Path, arguments: dict[str, object], sentence: str
) -> None:
    (tmp_path / "void").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/a.png").write_bytes(b"")
    with pytest.raises(GanLabError) as caught:
        image_folder(**arguments)  # type: ignore[arg-type]
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.npy"))
