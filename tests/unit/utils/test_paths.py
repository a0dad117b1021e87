"""Paths in commands that people copy."""

import shlex

import pytest

from gan_lab.utils.paths import quoted


@pytest.mark.parametrize("name", ["outputs/digits", "my runs", "'; touch x; '", "$(x)", "a'b\"c"])
def test_a_name_stays_one_word_of_a_shell(name: str) -> None:
    assert shlex.split(f"gan-lab report {quoted(name)}") == ["gan-lab", "report", name]
