"""What is broken in the compiler's cache goes, and nothing else."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
from filelock import FileLock
from torch._inductor.runtime import cache_dir_utils

from gan_lab.training.engines.compile_cache import remove_broken, remove_unloadable, use_own_cache


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A real library in a cache."""
    source = next(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so"))
    path = tmp_path / "ab" / "cabc.main.so"
    path.parent.mkdir()
    shutil.copy(source, path)
    return path


def test_the_cache_outlasts_a_reboot_unless_the_variable_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    assert use_own_cache() == tmp_path / "compiled"
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "compiled")
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    pytorchs_own = cache_dir_utils.cache_dir()  # sets the variable, as an optimizer does that is built before
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == pytorchs_own
    assert use_own_cache() == tmp_path / "compiled"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "other"))
    assert use_own_cache() == tmp_path / "other"


def test_a_cache_that_cannot_be_written_is_left_to_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "file"))
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    assert use_own_cache() is None
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


@pytest.mark.skipif(sys.platform != "linux", reason="libraries of Linux")
@pytest.mark.parametrize("size", [0, 10, 100, -1])
def test_a_library_that_is_cut_short_goes(library: Path, size: int, tmp_path: Path) -> None:
    assert not remove_broken(tmp_path)
    os.truncate(library, size if size >= 0 else library.stat().st_size - 1)
    assert remove_broken(tmp_path) == [library]
    assert not library.exists()


def test_zeros_and_empty_sources_go_but_marks_stay(library: Path, tmp_path: Path) -> None:
    library.write_bytes(bytes(1000))
    for name in ("cde.py", "cabc.so.load_ok", "locks/cabc.lock", ".1.2.tmp", "cfg.cpp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("int x;" if name == "cfg.cpp" else "")
    assert set(remove_broken(tmp_path)) == {library, tmp_path / "cde.py"}


def test_what_another_process_is_writing_stays(library: Path, tmp_path: Path) -> None:
    os.truncate(library, 100)
    (tmp_path / "locks").mkdir()
    with FileLock(tmp_path / "locks" / "cabc.lock"):
        assert not remove_broken(tmp_path)
    assert remove_broken(tmp_path) == [library]


def test_the_library_that_an_error_names_goes_if_it_is_in_the_cache(library: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere.so"
    elsewhere.write_text("")
    outer = RuntimeError("the backend failed")
    outer.__cause__ = ImportError("invalid", path=str(elsewhere))
    assert remove_unloadable(outer, tmp_path) is None
    assert elsewhere.exists()
    outer.__cause__ = OSError(f"{library}: invalid ELF header")
    assert remove_unloadable(outer, tmp_path) == library
    assert not library.exists()
    assert remove_unloadable(ValueError(str(library)), tmp_path) is None
