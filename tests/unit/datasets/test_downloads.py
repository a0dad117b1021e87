"""What is said when the files of a data set are missing, damaged or elsewhere."""

import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from torchvision import datasets

from gan_lab.config.build import build
from gan_lab.datasets.vision import load_celeba, load_stacked_mnist, load_torchvision
from gan_lab.utils import files
from gan_lab.utils.errors import ConfigurationError, DataError
from gan_lab.utils.paths import cache_dir
from tests.helpers.experiments import composed
from tests.helpers.vision_files import FAMILY, entry, make_mnist


@pytest.mark.parametrize("name", [*FAMILY, "cifar10", "svhn", "celeba", "stacked_mnist"])
def test_a_failed_download_is_one_sentence(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "nothing"
    with pytest.raises(DataError) as caught:
        entry(name, root)
    message = str(caught.value)
    assert message.startswith(f"dataset={name} cannot be read from {root} or downloaded to it (")
    assert "no network in tests" in message
    assert "it looks for " in message
    assert "put its files there as torchvision lays them out, or set dataset.root" in message
    assert "\n" not in message
    assert len(message.replace(str(tmp_path), "")) < 500  # however long the path of this machine is
    assert capfd.readouterr() == ("", "")


def test_without_a_root_files_go_to_the_cache_folder() -> None:
    with pytest.raises(DataError, match=f"cannot be read from {cache_dir() / 'data'} or"):
        load_torchvision(datasets.MNIST, "mnist")


def test_the_root_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_mnist(tmp_path)
    monkeypatch.setenv("GAN_LAB_DATA", str(tmp_path))
    assert len(build(composed("dataset=mnist"), "dataset")) == 30


def test_damaged_files_are_one_sentence(tmp_path: Path) -> None:
    make_mnist(tmp_path)
    images = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1000])
    with pytest.raises(DataError, match=r"^dataset=mnist cannot be read from .* \(.+\): put its files"):
        load_torchvision(datasets.MNIST, "mnist", root=str(tmp_path))


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the true download functions, and a server of our own
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(files, "SECONDS_WITHOUT_AN_ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []
        threading.Thread(target=lambda: held.append(server.accept()[0]), daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        monkeypatch.setattr(datasets.MNIST, "mirrors", [url])
        start = time.monotonic()
        with pytest.raises(DataError, match=r"\(.*timed out.*\)"):
            load_torchvision(datasets.MNIST, "mnist", root=str(tmp_path))
        assert time.monotonic() - start < 10
        for connection in held:
            connection.close()
    assert socket.getdefaulttimeout() is None


@pytest.mark.parametrize(
    "make", [lambda **k: load_torchvision(datasets.MNIST, "mnist", **k), load_stacked_mnist, load_celeba]
)
def test_keys_are_checked_before_anything_is_downloaded(make: Any) -> None:
    for size in (3, 1025, 32.0, "32"):
        with pytest.raises(ConfigurationError, match=r"^dataset\.size must be a whole number from 4 to 1024"):
            make(size=size)
    for split in ("valid", None, ["train"]):
        with pytest.raises(ConfigurationError, match=r"^dataset\.split must be one of train, test, got"):
            make(split=split)


def test_files_that_lie_elsewhere_are_pointed_to(tmp_path: Path) -> None:
    """One level too deep, one too high, and with the dots that another server gave them."""
    make_mnist(tmp_path / "here")
    raw = tmp_path / "here" / "MNIST" / "raw"
    for root, place in (("here/MNIST", "here"), (".", "here"), ("here/other", "here")):
        with pytest.raises(DataError) as caught:
            load_torchvision(datasets.MNIST, "mnist", root=str(tmp_path / root))
        message = str(caught.value)
        assert (
            f"it looks for {tmp_path / root / 'MNIST' / 'raw' / 'train-images-idx3-ubyte'} and 3 more"
            in message
        )
        assert f"near it there is {raw / 'train-images-idx3-ubyte'} and 3 more: " in message
        assert message.endswith(f"set dataset.root={tmp_path / place}")

    dotted = tmp_path / "dotted" / "MNIST" / "raw"
    raw.rename(tmp_path / "raw")
    dotted.parent.mkdir(parents=True)
    (tmp_path / "raw").rename(dotted)
    for file in list(dotted.iterdir()):
        file.rename(file.with_name(file.name.replace("-idx", ".idx")))
    with pytest.raises(DataError, match=r"near it there is .*\.idx3-ubyte and 3 more: move or rename them$"):
        load_torchvision(datasets.MNIST, "mnist", root=str(tmp_path / "dotted"))


def test_a_failed_attempt_leaves_no_folders(tmp_path: Path) -> None:
    for name in (*FAMILY, "cifar10", "svhn", "celeba"):
        with pytest.raises(DataError):
            entry(name, tmp_path / "new" / "root")
        assert not (tmp_path / "new").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError):
        entry("mnist", tmp_path / "mine")
    assert not list((tmp_path / "mine").iterdir())


@pytest.mark.parametrize("triples", [0, -1, 2.5, "many", True])
def test_stacks_need_triples(triples: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^dataset\.triples must be a whole number of at least 1"):
        load_stacked_mnist(triples=triples)
