"""What ``init_from`` names: a run's folder or a safetensors file, known by its content. Imports no torch."""

import hashlib
from functools import lru_cache
from pathlib import Path

from gan_lab.runs.reader import open_regular
from gan_lab.runs.status import Status
from gan_lab.utils.checks import check_text
from gan_lab.utils.errors import ConfigurationError, GanLabError

WEIGHTS = "generator.safetensors"
ALLOWED = "null, a run's folder or a .safetensors file"
_BLOCK = 2**20  # bytes


def content_digest(source: str) -> str:
    """Return 64 hexadecimal digits that are the same for the same weights, wherever they lie.

    A run is known by the generators of its seeds, which it keeps when its checkpoints are pruned. Raises
    ConfigurationError for what is neither a run's folder nor a safetensors file.
    """
    path = Path(check_text("init_from", source, ALLOWED)).expanduser()
    if path.is_dir():
        status = source_status(source)
        assert status is not None
        parts = [(str(seed), path.resolve() / f"seed_{seed}" / WEIGHTS) for seed in status.seeds]
    elif path.is_file() and path.suffix == ".safetensors":
        parts = [("", path.resolve())]
    else:
        problem = "which is none" if path.exists() else "which does not exist"
        raise ConfigurationError(f"init_from must be {ALLOWED}, got {source!r}, {problem}")
    digest = hashlib.sha256()
    for name, file in parts:
        try:
            state = file.stat()
            digest.update(f"{name}:{_file_digest(file, state.st_mtime_ns, state.st_size)}\n".encode())
        except FileNotFoundError:
            raise ConfigurationError(
                f"init_from={source}: this run has no weights yet, its first checkpoint is still to come"
            ) from None
    return digest.hexdigest()


def source_status(source: str) -> Status | None:
    """Return the status of the run that ``init_from`` names, None if it names a file."""
    path = Path(source).expanduser()
    if not path.is_dir():
        return None
    try:
        status = Status.load(path)
    except GanLabError as error:
        raise ConfigurationError(f"init_from: {error}") from error
    if status is None:
        raise ConfigurationError(
            f"init_from={source} is not the folder of a run: there is no status.json in it"
        )
    return status


def require_source_elsewhere(source: str | None, folder: Path) -> None:
    """Raise ConfigurationError if ``init_from`` lies in the folder of the run that is to start from it."""
    if source is not None and Path(source).expanduser().resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(
            f"init_from={source} lies in the folder of the run that is to start from it: take another "
            "hydra.run.dir or study=..."
        )


@lru_cache(maxsize=256)
def _file_digest(path: Path, modified: int, size: int) -> str:
    """Hash a file; asked again, one that has not changed since is not read."""
    digest = hashlib.sha256()
    with open_regular(path, path.parent) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
