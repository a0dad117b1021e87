"""torchvision's data sets, read from small files of their true formats; no test uses the network."""

import hashlib
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from gan_lab.datasets.base import Images
from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.datasets.vision import load_celeba, load_stacked_mnist, load_torchvision
from gan_lab.utils.errors import DataError
from tests.helpers.vision_files import COUNTS, FAMILY, entry, make_mnist, noise, write_idx

MNIST_HERE = Path(__file__).parents[4] / "shared" / "data"


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", FAMILY)
def test_the_mnist_family_is_read_from_its_files(name: str, tmp_path: Path) -> None:
    make_mnist(tmp_path, FAMILY[name])
    for split, part in (("train", "train"), ("test", "t10k")):
        data = entry(name, tmp_path, f"dataset.split={split}")
        assert data.name == name
        assert data.shape == (1, 28, 28)
        assert len(data) == COUNTS[part]
        assert data.labels is not None
        assert data.labels.tolist() == [i % 10 for i in range(COUNTS[part])]
        expected = noise(COUNTS[part], 28, 28, seed=COUNTS[part])
        assert np.array_equal(data.data[:, 0, 1:].numpy(), expected[:, 1:])


def test_images_are_resized_on_request(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 240, 28).astype(np.uint8), (2, 28, 1))
    for part in COUNTS:
        write_idx(tmp_path / "MNIST" / "raw" / f"{part}-images-idx3-ubyte", ramp)
        write_idx(tmp_path / "MNIST" / "raw" / f"{part}-labels-idx1-ubyte", np.zeros(2, np.uint8))
    data = entry("mnist", tmp_path, "dataset.size=14")
    assert data.shape == (1, 14, 14)
    assert data.data.dtype == torch.uint8
    # A ramp stays a ramp: pixel k of 14 covers pixels 2k and 2k + 1 of 28.
    pairs = torch.from_numpy(ramp[0, 0]).float().view(14, 2).mean(1)
    torch.testing.assert_close(data.data[0, 0, 7, 1:-1].float(), pairs[1:-1], atol=1, rtol=0)


def test_a_root_that_cannot_be_written_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_mnist(tmp_path)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr("os.makedirs", refuse)
    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(datasets.MNIST, "download", refuse)
    assert len(load_torchvision(datasets.MNIST, "mnist", root=str(tmp_path))) == 30


@pytest.mark.skipif(not MNIST_HERE.exists(), reason="no MNIST beside the repository")
def test_true_mnist_is_read() -> None:
    train, test = entry("mnist", MNIST_HERE), entry("mnist", MNIST_HERE, "dataset.split=test")
    assert (len(train), len(test)) == (60_000, 10_000)
    # The numbers that everybody normalizes MNIST with.
    pixels = train.data.double() / 255
    assert (pixels.mean().item(), pixels.std().item()) == pytest.approx((0.1307, 0.3081), abs=5e-5)
    assert train.labels is not None
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_cifar10_is_read_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    planes = noise(6 * 4, 3 * 32 * 32)  # rows of 1,024 red, 1,024 green and 1,024 blue bytes
    listed = []
    for i, name in enumerate([*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]):
        batch = {"data": planes[4 * i : 4 * i + 4], "labels": [i, 1, 2, 3]}
        (folder / name).write_bytes(pickle.dumps(batch))
        listed.append([name, md5(folder / name)])
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    meta = {**datasets.CIFAR10.meta, "md5": md5(folder / "batches.meta")}
    monkeypatch.setattr(datasets.CIFAR10, "train_list", listed[:5])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", listed[5:])
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)

    train, test = entry("cifar10", tmp_path), entry("cifar10", tmp_path, "dataset.split=test")
    assert train.shape == (3, 32, 32)
    assert np.array_equal(train.data.numpy(), planes[:20].reshape(-1, 3, 32, 32))
    assert np.array_equal(test.data.numpy(), planes[20:].reshape(-1, 3, 32, 32))
    assert train.labels is not None
    assert train.labels.tolist() == [n for i in range(5) for n in (i, 1, 2, 3)]
    assert train.data.is_contiguous()


def test_svhn_is_read_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.io import savemat

    pictures = noise(5, 3, 32, 32)
    splits = {}
    for split, count in (("train", 5), ("test", 2)):
        file = tmp_path / f"{split}_32x32.mat"
        x = pictures[:count].transpose(2, 3, 1, 0)  # rows, columns, colors, images
        savemat(file, {"X": x, "y": np.array([[1], [10], [3], [9], [10]], np.uint8)[:count]})
        splits[split] = ["http://nowhere.invalid/", file.name, md5(file)]
    monkeypatch.setattr(datasets.SVHN, "split_list", splits)

    data = entry("svhn", tmp_path)
    assert data.shape == (3, 32, 32)
    assert np.array_equal(data.data.numpy(), pictures)
    assert data.data.is_contiguous()
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0, 3, 9, 0]  # ten stands for zero
    assert len(entry("svhn", tmp_path, "dataset.split=test")) == 2


@pytest.fixture
def celeba_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten faces of 178 x 218, white in the middle square and black beyond; 0-5 train, 6-7 valid, 8-9 test."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i + 1:06d}.jpg" for i in range(10)]
    for i, name in enumerate(names):
        pixels = np.zeros((218, 178, 3), np.uint8)
        pixels[20:198] = 255 - 10 * i
        Image.fromarray(pixels).save(folder / "img_align_celeba" / name, quality=95)
    part = [0] * 6 + [1] * 2 + [2] * 2
    lines = {
        "list_eval_partition.txt": [f"{n} {p}" for n, p in zip(names, part, strict=True)],
        "identity_CelebA.txt": [f"{n} {i}" for i, n in enumerate(names)],
        "list_attr_celeba.txt": ["10", "Bald Young", *(f"{n} -1  1" for n in names)],
        "list_bbox_celeba.txt": ["10", "image_id x_1 y_1 width height", *(f"{n} 1 2 3 4" for n in names)],
        "list_landmarks_align_celeba.txt": ["10", "a_x a_y", *(f"{n} 69 109" for n in names)],
    }
    listed = [(None, None, "img_align_celeba.zip")]
    for file, content in lines.items():
        (folder / file).write_text("\n".join(content) + "\n")
        listed.append((None, md5(folder / file), file))
    monkeypatch.setattr(datasets.CelebA, "file_list", listed)
    return tmp_path


def test_celeba_is_read_from_its_files(celeba_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = entry("celeba", celeba_root)
    assert (len(train), train.shape, train.name) == (6, (3, 64, 64), "celeba")
    # The middle square of 178 is all there is: no black from above and below.
    shades = train.data[:, :, 2:-2, 2:-2].float()
    expected = torch.tensor([255.0 - 10 * i for i in range(6)]).view(6, 1, 1, 1)
    torch.testing.assert_close(shades, expected.expand_as(shades), atol=3, rtol=0)

    test = entry("celeba", celeba_root, "dataset.split=test", "dataset.size=32")
    assert (len(test), test.shape) == (2, (3, 32, 32))
    entry("celeba", celeba_root, "dataset.split=test")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(Image, "open", refuse)  # the splits do not push each other out of the cache
    assert len(entry("celeba", celeba_root)) == 6
    assert len(entry("celeba", celeba_root, "dataset.split=test")) == 2


def check_stack(data: Images, digits: torch.Tensor, labels: torch.Tensor) -> None:
    """Channels are digits whose labels are the hundreds, tens and ones of the image's label."""
    indices = torch.tensor([[0, 5, 17], [len(data) - 1, 3, 9]])
    batch = data.batch(indices)
    assert batch.shape == (2, 3, 3, 28, 28)
    assert data.labels is not None
    known: dict[bytes, int] = {
        image.numpy().tobytes(): int(label) for image, label in zip(digits, labels, strict=True)
    }
    for image, label in zip(batch.flatten(0, 1), data.labels[indices].flatten(), strict=True):
        pixels = ((image + 1) * 127.5).round().to(torch.uint8)
        a, b, c = (known[channel.numpy().tobytes()] for channel in pixels)
        assert label == 100 * a + 10 * b + c


def test_stacked_mnist_labels_are_those_of_its_channels(tmp_path: Path) -> None:
    make_mnist(tmp_path)
    data = entry("stacked_mnist", tmp_path, "dataset.triples=500")
    assert (len(data), data.shape) == (500, (3, 28, 28))
    single = entry("mnist", tmp_path)
    assert single.labels is not None
    check_stack(data, single.data[:, 0], single.labels)
    same, other = (
        entry("stacked_mnist", tmp_path, "dataset.triples=500", f"dataset.data_seed={k}") for k in (0, 1)
    )
    assert data.labels is not None
    assert same.labels is not None
    assert torch.equal(same.labels, data.labels)
    assert other.labels is not None
    assert not torch.equal(other.labels, data.labels)
    small = load_stacked_mnist(root=str(tmp_path), size=16, triples=3)
    assert small.batch(torch.tensor([2])).shape == (1, 3, 16, 16)
    assert len(load_stacked_mnist(root=str(tmp_path))) == 128_000


@pytest.mark.skipif(not MNIST_HERE.exists(), reason="no MNIST beside the repository")
def test_stacked_true_mnist_has_a_thousand_modes() -> None:
    data, single = entry("stacked_mnist", MNIST_HERE), entry("mnist", MNIST_HERE)
    assert single.labels is not None
    check_stack(data, single.data[:, 0], single.labels)
    assert data.labels is not None
    assert len(torch.unique(data.labels)) == 1000
    # Stored as triples of numbers: the images would be 300 MB.
    assert data.data.shape == (60_000, 28, 28)


def test_a_class_without_labels_and_with_a_split_will_do() -> None:
    class Unlabeled:
        def __init__(self, root: str, split: str, download: bool) -> None:
            self.data = noise(4, 10, 10, 3) if split == "test" else noise(8, 10, 10, 3)

    data = load_torchvision(Unlabeled, "unlabeled", split="test")
    assert (len(data), data.shape, data.labels) == (4, (3, 10, 10), None)
    assert np.array_equal(data.data.numpy(), noise(4, 10, 10, 3).transpose(0, 3, 1, 2))


def test_faces_without_their_lists_are_a_folder_of_images(
    celeba_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (celeba_root / "celeba").glob("*.txt"):
        file.unlink()
    # As Kaggle packs them.
    images = celeba_root / "kaggle" / "img_align_celeba" / "img_align_celeba"
    images.parent.mkdir(parents=True)
    (celeba_root / "celeba" / "img_align_celeba").rename(images)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError) as caught:
        load_celeba(root=str(celeba_root))
    message = str(caught.value)
    assert f"it looks for {celeba_root / 'celeba'}" in message
    assert "pip install 'gan-lab[celeba]'" in message
    assert f"are read by dataset=image_folder dataset.path={images}" in message
    assert len(load_image_folder(str(images), size=16)) == 10


def test_a_fingerprint_is_of_what_the_files_hold(tmp_path: Path) -> None:
    make_mnist(tmp_path / "a")
    make_mnist(tmp_path / "b")
    a = load_torchvision(datasets.MNIST, "mnist", root=str(tmp_path / "a"))
    b = load_torchvision(datasets.MNIST, "other", root=str(tmp_path / "b"))
    assert a.fingerprint == b.fingerprint
    assert a.stamp is None
    stacked = load_stacked_mnist(root=str(tmp_path / "a"), triples=50)
    others = [
        load_torchvision(datasets.MNIST, "mnist", size=16, root=str(tmp_path / "a")),
        load_torchvision(datasets.MNIST, "mnist", split="test", root=str(tmp_path / "a")),
        stacked,
        load_stacked_mnist(root=str(tmp_path / "a"), triples=51),
        load_stacked_mnist(root=str(tmp_path / "a"), triples=50, data_seed=1),
    ]
    assert len({a.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert load_stacked_mnist(root=str(tmp_path / "b"), triples=50).fingerprint == stacked.fingerprint
    # Others' pictures under the same name.
    file = tmp_path / "b" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"\x07")
    assert load_torchvision(datasets.MNIST, "mnist", root=str(tmp_path / "b")).fingerprint != a.fingerprint
