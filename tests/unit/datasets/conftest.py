"""Folders of images, and data sets without a network."""

from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
from torchvision import datasets
from torchvision.datasets import utils


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "pictures"
    made.mkdir()
    return made


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise URLError("no network in tests")

    monkeypatch.setattr(utils, "_urlretrieve", refuse)
    monkeypatch.setattr(utils, "_get_redirect_url", refuse)
    monkeypatch.setattr(datasets.celeba, "download_file_from_google_drive", refuse)
