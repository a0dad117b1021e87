"""A folder for a study."""

from pathlib import Path

import pytest


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "study"
