"""torchvision's data sets: read where they are, else downloaded; failures become one sentence."""

import contextlib
import importlib.util
import io
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock

from gan_lab.utils.errors import DataError, summarize_exception
from gan_lab.utils.files import connect_timeout
from gan_lab.utils.paths import cache_dir

SEARCHED = 20_000  # files near the root that are looked at for those that are missing
CELEBA_IMAGES = "img_align_celeba"


def downloaded(dataset: Callable[..., Any], name: str, root: Path, **which: Any) -> Any:
    """Make a torchvision data set; its progress goes to the terminal, its failures become `DataError`."""
    expected = expected_files(dataset, root, which.get("split", "train"))
    to_make = {folder for file in [*expected, root / name] for folder in file.parents if not folder.exists()}
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                # What is there already needs no network, and no folder that can be written.
                return dataset(root=str(root), download=False, **which)
            except RuntimeError:
                # Jobs of a sweep that start together download once: torchvision looks again inside the lock.
                with _one_at_a_time(getattr(dataset, "__name__", name)), connect_timeout():
                    return dataset(root=str(root), download=True, **which)
    except Exception as error:  # files and networks fail in every way: URLError, BadZipFile, ...
        _remove_empty(to_make)
        reason = summarize_exception(error, bare=True)
        raise DataError(
            f"dataset={name} cannot be read from {root} or downloaded to it ({reason}): "
            + "; ".join(_advice(dataset, root, expected))
        ) from error


def expected_files(dataset: Callable[..., Any], root: Path, split: str) -> list[Path]:
    """List the files that a torchvision class reads, [] for a class of an unknown kind."""
    base = root / getattr(dataset, "base_folder", "")
    if hasattr(dataset, "resources"):  # MNIST and its family
        folder = root / getattr(dataset, "__name__", "") / "raw"
        return [folder / Path(file).stem for file, _ in dataset.resources]
    if hasattr(dataset, "file_list"):  # CelebA
        return [base / (CELEBA_IMAGES if file.endswith(".zip") else file) for _, _, file in dataset.file_list]
    if hasattr(dataset, "split_list"):  # SVHN
        return [base / dataset.split_list[split][1]]
    if hasattr(dataset, "train_list"):  # CIFAR
        return [base / file for file, _ in [*dataset.train_list, *getattr(dataset, "test_list", [])]]
    return []


def find_nearby(expected: list[Path], root: Path) -> dict[Path, Path]:
    """Find files that are missing in another folder, or with dots for dashes: missing file -> where it is.

    Looks below ``root`` and one level above it.
    """
    wanted = {_spelling(file.name): file for file in expected if not file.exists()}
    nearby = [root.parent / file.relative_to(root) for file in wanted.values()]
    nearby += [root.parent / file.name for file in wanted.values()]
    below = (Path(parent, name) for parent, folders, files in os.walk(root) for name in [*folders, *files])
    locations: dict[Path, Path] = {}
    for path in [*(path for path in nearby if path.exists()), *islice(below, SEARCHED)]:
        file = wanted.get(_spelling(path.name))
        # A folder of images may be nested in one of the same name: the innermost holds them.
        if file is not None and (file not in locations or locations[file] in path.parents):
            locations[file] = path
    return locations


def _advice(dataset: Callable[..., Any], root: Path, expected: list[Path]) -> Iterator[str]:
    """Say which files are looked for, what is near them, and what to do."""
    missing = [file for file in expected if not file.exists()]
    near = find_nearby(expected, root)
    nearby = [(file, near[file]) for file in missing if file in near]
    if missing:
        yield f"it looks for {missing[0].absolute()}{_and_more(missing)}"
    if hasattr(dataset, "file_list"):  # CelebA
        if importlib.util.find_spec("gdown") is None:
            yield "its download needs pip install 'gan-lab[celeba]'"
        images = next((path for path in [*near.values(), *expected] if path.is_dir()), "<folder>")
        yield f"images alone, as Kaggle has them, are read by dataset=image_folder dataset.path={images}"
    elif nearby:
        file, path = nearby[0]
        # If everything is there in the right layout, another root will do.
        relative = file.relative_to(root)
        elsewhere = path.parents[len(relative.parts) - 1]
        fits = len(nearby) == len(missing) and elsewhere / relative == path
        what_to_do = f"set dataset.root={elsewhere.absolute()}" if fits else "move or rename them"
        yield f"near it there is {path.absolute()}{_and_more(nearby)}: {what_to_do}"
        return
    yield "put its files there as torchvision lays them out, or set dataset.root to where they are"


def _and_more(things: Sequence[object]) -> str:
    return f" and {len(things) - 1} more" if len(things) > 1 else ""


def _spelling(name: str) -> str:
    """One spelling of a file's name: "train-images.idx3-ubyte.gz" is "train-images-idx3-ubyte"."""
    return name.removesuffix(".gz").replace(".", "-").lower()


def _remove_empty(folders: set[Path]) -> None:
    """Remove folders that a failed attempt has made and left empty, the innermost first."""
    for folder in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextlib.contextmanager
def _one_at_a_time(name: str) -> Iterator[None]:
    folder = cache_dir() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{name}.lock"):
        yield
