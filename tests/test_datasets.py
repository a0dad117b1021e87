"""Data sets that come with the package, and torchvision's from small files of the true format."""

import gzip
import hashlib
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io
import torch
import torchvision
from conftest import choices, composed
from PIL import Image

from gan_lab.configuration import build
from gan_lab.datasets.base import Images, Points
from gan_lab.errors import DataError, GanLabError

REAL_MNIST = Path(__file__).parents[2] / "shared/data"
NUMBERS = np.random.default_rng(0)


def dataset(*overrides: str) -> Any:
    return build(composed(*overrides), "dataset")


def write_idx(path: Path, array: np.ndarray) -> None:
    """The IDX format of yann.lecun.com: magic number, sizes, bytes; gzipped as it is distributed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.astype(np.uint8).tobytes()
    path.write_bytes(content)
    with gzip.open(f"{path}.gz", "wb") as file:
        file.write(content)


def mnist_like(root: Path, folder: str) -> tuple[np.ndarray, np.ndarray]:
    images = NUMBERS.integers(0, 256, (30, 28, 28))
    labels = np.arange(30) % 10
    for part in ("train", "t10k"):
        write_idx(root / folder / f"raw/{part}-images-idx3-ubyte", images)
        write_idx(root / folder / f"raw/{part}-labels-idx1-ubyte", labels)
    return images, labels


@pytest.mark.parametrize(
    ("name", "folder"), [("mnist", "MNIST"), ("fashion_mnist", "FashionMNIST"), ("kmnist", "KMNIST")]
)
def test_mnist_family(name: str, folder: str, tmp_path: Path) -> None:
    images, labels = mnist_like(tmp_path / "data", folder)
    found = dataset(f"dataset={name}", f"dataset.root={tmp_path / 'data'}")
    assert found.shape == (1, 28, 28)
    assert torch.equal(found.data[:, 0], torch.from_numpy(images).to(torch.uint8))
    assert found.labels.tolist() == labels.tolist()
    smaller = dataset(f"dataset={name}", f"dataset.root={tmp_path / 'data'}", "dataset.size=16")
    assert smaller.shape == (1, 16, 16)


def test_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = NUMBERS.integers(0, 256, (6, 20, 3072)).astype(np.uint8)
    sums = {}
    for index, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        content = pickle.dumps({"data": pixels[index], "labels": list(range(10)) * 2})
        (folder / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    (folder / "batches.meta").write_bytes(meta)
    kind = torchvision.datasets.CIFAR10
    monkeypatch.setattr(kind, "train_list", [[n, sums[n]] for n in sums if "data" in n])
    monkeypatch.setattr(kind, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": hashlib.md5(meta).hexdigest()})
    found = dataset("dataset=cifar10", f"dataset.root={tmp_path}")
    assert found.data.shape == (100, 3, 32, 32)
    assert torch.equal(found.data[20].flatten(), torch.from_numpy(pixels[1, 0]))
    assert found.labels[:3].tolist() == [0, 1, 2]


def test_svhn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = NUMBERS.integers(0, 256, (32, 32, 3, 12)).astype(np.uint8)
    path = tmp_path / "train_32x32.mat"
    scipy.io.savemat(path, {"X": images, "y": np.arange(1, 13)[:, None] % 10 + 1})
    entry = ["", path.name, hashlib.md5(path.read_bytes()).hexdigest()]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", {"train": entry})
    found = dataset("dataset=svhn", f"dataset.root={tmp_path}")
    assert found.data.shape == (12, 3, 32, 32)
    assert torch.equal(found.data[5], torch.from_numpy(images[..., 5].transpose(2, 0, 1).copy()))


def test_celeba(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path / "celeba"
    (base / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06d}.jpg" for i in range(1, 7)]
    for i, name in enumerate(names):
        Image.new("RGB", (178, 218), (40 * i, 0, 0)).save(base / "img_align_celeba" / name)
    (base / "list_eval_partition.txt").write_text("".join(f"{n} {i // 4}\n" for i, n in enumerate(names)))
    rows = "".join(f"{n} 1 2 3 4\n" for n in names)
    for file in ("identity_CelebA", "list_bbox_celeba", "list_landmarks_align_celeba", "list_attr_celeba"):
        head = "" if file == "identity_CelebA" else f"{len(names)}\na b c d\n"
        (base / f"{file}.txt").write_text(head + rows)
    monkeypatch.setattr(torchvision.datasets.CelebA, "_check_integrity", lambda self: True)
    found = dataset("dataset=celeba", f"dataset.root={tmp_path}", "dataset.size=16")
    # Partition 0 is the training split: the first four.
    assert found.data.shape == (4, 3, 16, 16)
    assert found.data[:, 0, 8, 8].tolist() == pytest.approx([0, 40, 80, 120], abs=3)


def fail(error: Exception) -> Callable[..., None]:
    def download(*args: object, **kwargs: object) -> None:
        raise error

    return download


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist", "cifar10", "svhn", "stacked_mnist"])
def test_a_failed_download_is_one_sentence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mnist", "cifar", "svhn"):
        for function in ("download_and_extract_archive", "download_url"):
            where = f"torchvision.datasets.{module}.{function}"
            monkeypatch.setattr(where, fail(URLError("no route to host")), raising=False)
    with pytest.raises(DataError) as caught:
        dataset(f"dataset={name}")
    sentence = str(caught.value)
    assert "could not be downloaded" in sentence
    assert "dataset.root" in sentence
    assert "\n" not in sentence


def test_stacked_mnist_labels_are_the_three_digits(tmp_path: Path) -> None:
    images, labels = mnist_like(tmp_path, "MNIST")
    found = dataset("dataset=stacked_mnist", f"dataset.root={tmp_path}", "dataset.triples=500")
    assert (len(found), found.shape) == (500, (3, 28, 28))
    by_pixels = {image.astype(np.uint8).tobytes(): label for image, label in zip(images, labels, strict=True)}
    rows = torch.tensor([0, 7, 499])
    stacked = ((found.batch(rows) + 1) * 127.5).round().to(torch.uint8).numpy()
    for image, label in zip(stacked, found.labels[rows].tolist(), strict=True):
        assert [by_pixels[channel.tobytes()] for channel in image] == [int(d) for d in f"{label:03d}"]
    assert len(found.labels.unique()) > 300


@pytest.mark.skipif(not REAL_MNIST.is_dir(), reason="the real MNIST is not beside this checkout")
def test_real_mnist_is_mnist() -> None:
    found = dataset("dataset=mnist", f"dataset.root={REAL_MNIST}")
    assert found.data.shape == (60_000, 1, 28, 28)
    # LeCun's files: 5,923 zeros, 6,742 ones, and a mean grey value of 0.1307.
    assert torch.bincount(found.labels)[:2].tolist() == [5923, 6742]
    assert found.data.float().mean().item() / 255 == pytest.approx(0.1307, abs=1e-4)


def test_digits_are_digits() -> None:
    found = dataset("dataset=digits")
    assert isinstance(found, Images)
    assert (len(found), found.shape) == (1797, (1, 16, 16))
    train, test = (dataset("dataset=digits", f"dataset.split={s}") for s in ("train", "test"))
    assert (len(train), len(test)) == (1200, 597)
    flat = {id(d): d.batch(torch.arange(len(d))).flatten(1) for d in (train, test)}
    means = torch.stack([flat[id(train)][train.labels == k].mean(0) for k in range(10)])
    guessed = torch.cdist(flat[id(test)], means).argmin(1)
    assert (guessed == test.labels).float().mean() > 0.85
    # Shuffled: both parts hold every digit about equally often.
    assert torch.bincount(test.labels).min() > 40


def test_images_are_mapped_onto_minus_one_to_one_by_any_index() -> None:
    data = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    images = Images(data, name="ramp")
    batch = images.batch(torch.tensor([[0, 255], [51, 102]]))
    assert batch.shape == (2, 2, 1, 1, 1)
    assert batch.flatten().tolist() == pytest.approx([-1, 1, -0.6, -0.2])


@pytest.mark.parametrize(("name", "modes", "extent"), [("ring", 8, 1.0), ("grid", 25, 4.0)])
def test_mixtures_have_their_modes_and_spread(name: str, modes: int, extent: float) -> None:
    found = dataset(f"dataset={name}")
    assert isinstance(found, Points)
    centres = found.centres
    assert len(torch.unique(centres.round(decimals=4), dim=0)) == modes
    assert centres.abs().max().item() == pytest.approx(extent)
    offsets = found.data - centres[found.labels]
    # 200,000 numbers: the standard error of the deviation is 0.16 %.
    assert offsets.std().item() == pytest.approx(found.std, rel=0.01)
    assert torch.bincount(found.labels).min() > 0.9 * len(found) / modes
    # Rayleigh: 1 - exp(-9/2) of the mass lies within three deviations.
    inside = (offsets.norm(dim=1) < 3 * found.std).float().mean().item()
    assert inside == pytest.approx(0.98889, abs=0.002)


def test_pictures() -> None:
    digits = dataset("dataset=digits")
    picture = digits.draw(digits.batch(torch.arange(10)))
    assert picture.dtype == torch.uint8
    assert picture.shape[0] == 3
    assert picture.float().std() > 20
    ring = dataset("dataset=ring")
    near, far = ring.draw(ring.batch(torch.arange(500))), ring.draw(torch.full((500, 2), 50.0))
    assert near.shape == far.shape == (3, 400, 400)
    # Blue points are on the picture where they should be, and only there.
    blue = (near[2].int() - near[0].int() > 40).sum(), (far[2].int() - far[0].int() > 40).sum()
    assert blue[0] > 50
    assert blue[1] == 0


@pytest.mark.parametrize(
    "overrides",
    [
        ["dataset=ring", "dataset.std=0"],
        ["dataset=ring", "dataset.modes=2.5"],
        ["dataset=grid", "dataset.size=-1"],
        ["dataset=digits", "dataset.size=two"],
        ["dataset=digits", "dataset.split=half"],
        ["dataset=mnist", "dataset.split=validation"],
        ["dataset=stacked_mnist", "dataset.triples=0"],
    ],
)
def test_keys_out_of_range_are_named(overrides: list[str]) -> None:
    with pytest.raises(GanLabError) as caught:
        dataset(*overrides)
    key, _, value = overrides[1].partition("=")
    assert key in str(caught.value)
    assert value in str(caught.value)


def test_every_entry_names_itself() -> None:
    for name in choices("dataset"):
        assert composed(f"dataset={name}").dataset.name == name
