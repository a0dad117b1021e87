"""A study's folder: all of its runs. Imports no torch."""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gan_lab.runs.folder import ARCHIVED, HYDRA, run_folders
from gan_lab.runs.run import Run
from gan_lab.runs.status import STATUS
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.text import truncate

OVERVIEW = "tensorboard"  # the folder of what TensorBoard shows of a study: gan_lab.report.tensorboard


@dataclass(frozen=True)
class StudyFolder:
    """runs: by name; damaged: folder name -> what is wrong with it; archived: those that rerun=true kept.

    others: names of runs that are left out, because a race has not trained them.
    """

    name: str
    folder: Path
    runs: list[Run]
    damaged: dict[str, str]
    archived: list[str]
    others: list[str] = field(default_factory=list)


def find_study(name: str | Path | None, command: str = "report") -> Path:
    """Return the folder called ``name``, here or under ``outputs/``.

    Raises GanLabError with what to type, which is ``command`` and a study that there is, also for a folder of
    studies, and for None.
    """
    if name is None:
        raise GanLabError(f"which study? {_known_studies(Path('outputs'), command)}")
    folder = find_folder(name, command)
    if run_folders(folder) or not _studies(folder):
        return folder
    raise GanLabError(f"{folder} is a folder of studies: {_known_studies(folder, command)}")


def find_folder(name: str | Path, command: str) -> Path:
    """Return the folder called ``name``, here or under ``outputs/``, the first that holds runs or studies.

    Raises GanLabError with what to type if there is neither.
    """
    folders = [folder for folder in (Path(name), Path("outputs") / name) if folder.is_dir()]
    if not folders:
        raise GanLabError(f"there is no study {str(name)!r}; {_known_studies(Path('outputs'), command)}")
    return next((folder for folder in folders if run_folders(folder) or _studies(folder)), folders[0])


def _studies(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*/") if run_folders(path))


def _known_studies(folder: Path, command: str) -> str:
    known = _studies(folder)
    if not known:
        return f"there are none in {folder}; start one with: gan-lab train activation=elu"
    return truncate(f"type gan-lab {command} {', or '.join(shlex.quote(str(path)) for path in known)}", 600)


def read_study(
    folder: Path,
    check: Callable[[Run], object] | None = None,
    load: Callable[[Path], Run] = Run.load,
) -> StudyFolder:
    """Read every run in a study's folder; a single run is a study of one, also if it is archived.

    A run that ``load`` cannot load, or for which ``check`` raises GanLabError, is named under ``damaged``.
    Raises GanLabError for a folder without runs.
    """
    folders = run_folders(folder)
    if not folders:
        raise GanLabError(f"{folder} is neither a run nor a study: there is no status.json in it or below it")
    runs, damaged, archived = [], {}, []
    for path in folders:
        if ARCHIVED in path.name and path != folder:
            archived.append(path.name)
            continue
        if path.is_symlink() and path != folder:
            damaged[path.name] = f"{path} is a link, and a study's runs are folders in it"
            continue
        try:
            run = load(path)
            if check is not None:
                check(run)
            runs.append(run)
        except GanLabError as error:
            damaged[path.name] = str(error)
    for path in sorted(folder.glob(f"*/{HYDRA}")) if folder not in folders else ():
        if not os.path.lexists(path.parent / STATUS):
            damaged[path.parent.name] = f"{path.parent} has no status.json: it ended before its first step"
    return StudyFolder(folder.resolve().name, folder, runs, damaged, archived)
