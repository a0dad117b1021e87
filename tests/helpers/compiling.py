"""Compiled steps without the compiler, which starts processes: what is traced is called as it is."""

import pytest

from gan_lab.training.engines import compiled


def trace_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have turns traced, and neither compiled nor found in a cache."""
    monkeypatch.setattr(compiled, "find_library", lambda digest: None)
    monkeypatch.setattr(compiled, "make_library", lambda traced, inputs, digest: traced)
