"""Paths in commands that people copy."""

import shlex

import pytest

from gan_lab.utils.paths import quoted, to_file_name


@pytest.mark.parametrize("name", ["outputs/digits", "my runs", "'; touch x; '", "$(x)", "a'b\"c"])
def test_a_name_stays_one_word_of_a_shell(name: str) -> None:
    assert shlex.split(f"gan-lab report {quoted(name)}") == ["gan-lab", "report", name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("optimizer.betas=[0.5,0.9]", "optimizer.betas=0.5,0.9"),
        ("+x={a:1}", "+x=a-1"),
        ("dataset.path='my pictures'", "dataset.path=my-pictures"),
        ("model.skip=-3", "model.skip=-3"),
    ],
)
def test_a_value_in_a_name_looks_negative_only_if_it_is(text: str, name: str) -> None:
    assert to_file_name(text) == name
