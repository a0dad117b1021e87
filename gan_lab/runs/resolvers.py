"""Where Hydra puts a run: the resolvers that configs/train.yaml names."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from gan_lab.runs.folder import require_unlinked_record
from gan_lab.runs.naming import folder_name, study_folder


def register_resolvers() -> None:
    """Make ``gan_lab_study_dir``, ``gan_lab_run_name`` and ``gan_lab_run_dir`` known to OmegaConf."""
    for name, resolver in (
        ("gan_lab_study_dir", _study_dir),
        ("gan_lab_run_name", _run_name),
        ("gan_lab_run_dir", _run_dir),
    ):
        OmegaConf.register_new_resolver(name, resolver, replace=True)


def _study_dir(*, _root_: DictConfig) -> str:
    return str(study_folder(_root_))


def _run_name(*, _root_: DictConfig) -> str:
    study = Path(_root_.hydra.sweep.dir)
    name = folder_name(_root_, study, _root_.hydra.overrides.task)
    require_unlinked_record(study / name)
    return name


def _run_dir(*, _root_: DictConfig) -> str:
    study = study_folder(_root_)
    folder = study / folder_name(_root_, study, _root_.hydra.overrides.task)
    require_unlinked_record(folder)
    return str(folder)
