"""Fixtures of tests that train: each configuration once per session, copied to whoever asks for it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_lab import load
from gan_lab.runs.load import TrainedRun
from tests.helpers.experiments import train


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Overrides -> the folder of outputs that training them has made, once per session."""
    folders: dict[tuple[str, ...], Path] = {}

    def outputs(*overrides: str) -> Path:
        if overrides not in folders:
            folder = tmp_path_factory.mktemp("trained")
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                train(overrides)
            folders[overrides] = folder / "outputs"
        return folders[overrides]

    return outputs


@pytest.fixture
def trained(_trained: Callable[..., Path]) -> Callable[..., TrainedRun]:
    """Like `train`, for runs that any number of tests start from: each gets a copy in its own folder."""

    def copy(*overrides: str) -> TrainedRun:
        outputs = _trained(*overrides)
        shutil.copytree(outputs, "outputs", dirs_exist_ok=True)
        (status,) = outputs.glob("*/*/status.json")
        return load(Path("outputs") / status.parent.relative_to(outputs))

    return copy
