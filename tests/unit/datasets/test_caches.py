"""Caches of image folders that are gone: found, removed, and nothing else."""

import json
import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from gan_lab.datasets.caches import caches_folder, lost_caches, remove_cache
from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.utils.errors import DataError


@pytest.fixture
def source() -> Path:
    folder = Path("pictures")
    folder.mkdir()
    Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / "1.png")
    load_image_folder("pictures", size=8)
    return folder


def files() -> list[str]:
    return sorted(path.name for path in caches_folder().rglob("*") if path.is_file())


def test_only_a_cache_whose_folder_is_gone_is_lost(source: Path) -> None:
    assert lost_caches() == []
    source.rename("moved")
    (cache,) = lost_caches()
    assert cache.source == source.absolute()
    assert cache.size == sum(path.stat().st_size for path in cache.folder.iterdir())
    load_image_folder("moved", size=8)
    assert lost_caches() == [cache]
    remove_cache(cache)
    assert lost_caches() == []
    assert files().count("images.npy") == 1
    assert not cache.folder.parent.exists()
    load_image_folder("moved", size=8)


def test_a_cache_is_kept_whose_folder_has_come_back_or_cannot_be_looked_at(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.rename("moved")
    (cache,) = lost_caches()
    Path("moved").rename(source)
    before = files()
    remove_cache(cache)
    shutil.rmtree(source)
    with monkeypatch.context() as patch:
        stat = Path.stat

        def denied(self: Path, **named: bool) -> os.stat_result:
            if self == cache.source:
                raise PermissionError
            return stat(self, **named)

        patch.setattr(Path, "stat", denied)
        assert lost_caches() == []
    assert files() == before


@pytest.mark.parametrize("operations", range(4))
def test_the_same_command_completes_what_was_killed(
    operations: int, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(source)
    unlink, count = Path.unlink, 0

    def dying(self: Path, missing_ok: bool = False) -> None:
        nonlocal count
        if self.parent.parent.parent == caches_folder():
            count += 1
            if count > operations:
                raise KeyboardInterrupt
        unlink(self, missing_ok)

    (cache,) = lost_caches()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", dying)
        if operations < 3:
            with pytest.raises(KeyboardInterrupt):
                remove_cache(cache)
            assert [lost.folder for lost in lost_caches()] == [cache.folder]
        else:
            remove_cache(cache)
    for lost in lost_caches():
        remove_cache(lost)
    assert not cache.folder.parent.exists()


def test_a_cache_that_is_being_built_is_left_alone(source: Path) -> None:
    shutil.rmtree(source)
    (cache,) = lost_caches()
    before = files()
    with (
        FileLock(f"{cache.folder.parent}.lock"),
        pytest.raises(DataError, match="is being built by another process"),
    ):
        remove_cache(cache)
    assert files() == before


def test_what_does_not_name_its_folder_and_what_is_a_link_is_no_cache(source: Path, tmp_path: Path) -> None:
    shutil.rmtree(source)
    (cache,) = lost_caches()
    facts = json.loads((cache.folder / "facts.json").read_text())
    for text in (json.dumps({**facts, "source": "relative"}), "{}", "[]", "no JSON", "[" * 100_000):
        (cache.folder / "facts.json").write_text(text)
        assert lost_caches() == []
    (cache.folder / "facts.json").write_text(json.dumps(facts))
    (cache.folder / "mine.txt").write_text("mine")
    parent = cache.folder.parent
    parent.rename(tmp_path / "elsewhere")
    parent.symlink_to(tmp_path / "elsewhere")
    assert lost_caches() == []
    parent.unlink()
    (tmp_path / "elsewhere").rename(parent)
    remove_cache(cache)
    assert [path.name for path in parent.rglob("*") if path.is_file()] == ["mine.txt"]
