"""Fixtures of tests that neither start processes nor train."""

import pytest

from gan_lab.training import loop


@pytest.fixture(autouse=True)
def _no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the tiers apart: tests of the loop itself call it by their own import."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a test that trains a run belongs into tests/runs")

    monkeypatch.setattr(loop, "training_loop", refuse)
