"""Validators: every hostile value once, on the validator itself."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_lab.utils.checks import (
    LARGEST,
    check_bool,
    check_choice,
    check_int,
    check_name,
    check_number,
    check_text,
)
from gan_lab.utils.errors import ConfigurationError


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


HOSTILE: list[Any] = [
    None,
    True,
    False,
    "",
    " ",
    "text",
    "1",
    "nan",
    "x" * 10_000,
    "a\nb",
    [],
    [1],
    {},
    {"a": 1},
    b"1",
    1j,
    math.nan,
    math.inf,
    -math.inf,
    1e300,
    -1,
    -1.0,
    0,
    1.5,
    10**30,
    10**400,
    10**10_000,
    Unprintable(),
]


def accepted(validate: Callable[..., Any]) -> list[Any]:
    """The hostile values that a validator lets through; it must refuse the others in one sentence each."""
    passed = []
    for value in HOSTILE:
        try:
            validate("a.key", value)
        except ConfigurationError as error:
            sentence = str(error)
            assert sentence.startswith("a.key must be ")
            assert ", got " in sentence
            assert "\n" not in sentence
            assert len(sentence) < 400
        else:
            passed.append(value)
    return passed


@pytest.mark.parametrize(
    ("validate", "passes"),
    [
        (check_int, []),
        (partial(check_int, at_least=0), [0]),
        (partial(check_int, at_least=-5, at_most=5), [-1, 0]),
        (check_number, [1e300, -1, -1.0, 0, 1.5]),
        (partial(check_number, above=0), [1e300, 1.5]),
        (partial(check_number, at_least=0), [1e300, 0, 1.5]),
        (partial(check_number, above=0, below=1), []),
        (partial(check_number, at_least=0, at_most=1.5), [0, 1.5]),
        (partial(check_choice, choices=("text", "other")), ["text"]),
        (check_bool, [True, False]),
        (partial(check_text, allowed="a name"), ["text", "1", "nan", "x" * 10_000, "a\nb"]),
        (check_name, ["text", "1", "nan"]),
    ],
)
def test_hostile_values(validate: Callable[..., Any], passes: list[Any]) -> None:
    passed = accepted(validate)
    assert [repr(value) for value in passed] == [repr(value) for value in passes]


@pytest.mark.parametrize(
    ("validate", "value", "sentence"),
    [
        (check_int, 0, "k must be a whole number of at least 1, got 0"),
        (check_int, 2.0, "k must be a whole number of at least 1, got 2.0"),
        (check_int, LARGEST + 1, f"k must be at most {LARGEST}, got {LARGEST + 1}"),
        (partial(check_int, at_least=4, at_most=9), 3, "k must be a whole number from 4 to 9, got 3"),
        (partial(check_int, at_least=4, at_most=9), 10, "k must be a whole number from 4 to 9, got 10"),
        (check_number, "3", "k must be a number, got '3'"),
        (check_number, LARGEST + 1, f"k must be at most {LARGEST}, got {LARGEST + 1}"),
        (partial(check_number, above=0), 0, "k must be a number above 0, got 0"),
        (partial(check_number, at_least=2), 1.5, "k must be a number of at least 2, got 1.5"),
        (partial(check_number, above=0, below=1), 1, "k must be a number above 0 and below 1, got 1"),
        (partial(check_number, at_most=9), 9.1, "k must be a number of at most 9, got 9.1"),
        (partial(check_number, above=0, allowed="a decay"), 0, "k must be a decay, got 0"),
        (partial(check_choice, choices=("a", "b")), "c", "k must be one of a, b, got 'c'"),
        (partial(check_choice, choices={"a": 1}), ["a"], "k must be one of a, got ['a']"),
        (check_bool, 1, "k must be true or false, got 1"),
        (partial(check_text, allowed="a name"), None, "k must be a name, got None"),
        (check_int, Unprintable(), "k must be a whole number of at least 1, got a value of type Unprintable"),
    ],
)  # fmt: skip
def test_what_a_refusal_says(validate: Callable[..., Any], value: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validate("k", value)
    assert str(caught.value) == sentence


@given(st.integers(), st.integers(-3, 3))
def test_whole_numbers_from_a_bound_to_the_largest_pass(value: int, bound: int) -> None:
    if bound <= value <= LARGEST:
        assert check_int("k", value, at_least=bound) == value
    else:
        with pytest.raises(ConfigurationError):
            check_int("k", value, at_least=bound)


@given(st.one_of(st.floats(allow_subnormal=False), st.integers()))
def test_numbers_within_their_bounds_pass(value: float) -> None:
    if 0 < value < math.inf and (isinstance(value, float) or value <= LARGEST):
        assert check_number("k", value, above=0) == float(value)
    else:
        with pytest.raises(ConfigurationError):
            check_number("k", value, above=0)
