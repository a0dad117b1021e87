"""The cache of decoded images: when it is made, when it is made anew, and what interrupts it."""

import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from gan_lab.datasets import decode
from gan_lab.datasets import image_cache as module
from gan_lab.datasets.decode import Decoder, MemoryBudget
from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.utils.errors import DataError
from gan_lab.utils.paths import cache_dir
from tests.helpers.pictures import RED, caches, color, save


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
