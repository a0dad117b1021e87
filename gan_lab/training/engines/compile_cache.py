"""Where PyTorch's compiler keeps what it has compiled, and what is broken there.

A machine that goes down, or a process that is killed, while the compiler writes leaves a file that is empty
or cut short. PyTorch never writes it again, and loading it fails in every process to come: a cut one kills
the process (SIGBUS).
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from gan_lab.utils.paths import cache_dir

VARIABLE = "TORCHINDUCTOR_CACHE_DIR"
EMPTY_BY_NATURE = (".lock", ".load_ok", ".tmp")
ELF_HEADER = 64  # bytes


def cache_folder() -> Path | None:
    """Return the folder for what is compiled, in gan-lab's cache: it outlasts a reboot, unlike ``/tmp``.

    Another folder in the variable that PyTorch reads for it wins. None if it cannot be written.
    """
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    given = os.environ.get(VARIABLE)
    # PyTorch sets the variable to its default itself, as early as an optimizer is built.
    if given is None or Path(given) == Path(default_cache_dir()).absolute():
        folder = cache_dir() / "compiled"
    else:
        folder = Path(given)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def use_own_cache() -> Path | None:
    """Have PyTorch keep what it compiles in `cache_folder`, and return that; None leaves it to PyTorch."""
    folder = cache_folder()
    if folder is not None:
        os.environ[VARIABLE] = str(folder)
    return folder


def remove_broken(folder: Path) -> list[Path]:
    """Remove the files that are empty or cut short, but those that a process is writing now; return them."""
    removed = []
    for path in [path for path in _files(folder) if _is_broken(path)]:
        # The compiler holds this lock while it writes a library.
        lock = FileLock(folder / "locks" / f"{path.name.partition('.')[0]}.lock", timeout=0)
        try:
            with lock:
                if _is_broken(path):
                    path.unlink(missing_ok=True)
                    removed.append(path)
        except (OSError, Timeout):
            continue
    return removed


def remove_unloadable(error: BaseException, folder: Path) -> Path | None:
    """Remove the library whose loading failed with ``error``, if it is in the cache; return it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, (ImportError, OSError)):
            # The loader of plain libraries says it in its message only.
            path = Path(getattr(cause, "path", None) or str(cause).partition(": ")[0])
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                path.unlink(missing_ok=True)
                return path
        cause = cause.__cause__ or cause.__context__
    return None


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names if not name.endswith(EMPTY_BY_NATURE))


def _is_broken(path: Path) -> bool:
    try:
        size = path.stat().st_size
        return size == 0 or (path.suffix == ".so" and size < _size_of_library(path))
    except OSError:  # gone by now
        return False


def _size_of_library(path: Path) -> int:
    """Return the size that the header of an ELF file promises, at whose end is the table of its sections."""
    with path.open("rb") as file:
        header = file.read(ELF_HEADER)
    if header[:6] != b"\x7fELF\x02\x01":  # 64 bits, little-endian; all zeros after a crash, or not of Linux
        return 0 if any(header) else path.stat().st_size + 1
    if len(header) < ELF_HEADER:
        return ELF_HEADER
    (start,) = struct.unpack_from("<Q", header, 0x28)
    entry_size, entries = struct.unpack_from("<HH", header, 0x3A)
    return int(start + entry_size * entries)
