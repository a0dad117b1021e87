"""Numbers, durations, sizes and tables as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan_lab.utils.text import format_bytes, format_duration, format_number, plural, truncate


@pytest.mark.parametrize(
    ("value", "text", "compact"),
    [
        (0.0, "0", "0"),
        (-0.0, "0", "0"),
        (0.5, "0.500", "0.5"),
        (-1.7581, "-1.76", "-1.76"),
        (12.0, "12.0", "12"),
        (999.4, "999", "999"),
        (999.6, "1,000", "1000"),
        (1234.5, "1,234", "1234"),
        (-9_999_999.0, "-9,999,999", "-1e+07"),
        (250_000.0, "250,000", "2.5e+05"),
        (1e7, "1.00e+07", "1e+07"),
        (0.0001, "0.000100", "0.0001"),
        (2e-7, "2.00e-07", "2e-07"),
        (math.inf, "inf", "inf"),
        (-math.inf, "-inf", "-inf"),
        (math.nan, "nan", "nan"),
    ],
)
def test_numbers(value: float, text: str, compact: str) -> None:
    assert format_number(value) == text
    assert format_number(value, compact=True) == compact


def test_a_missing_number_and_more_digits() -> None:
    assert format_number(None) == "-"
    assert format_number(None, "failed") == "failed"
    assert format_number(1.23456, digits=4) == "1.235"
    assert format_number(1234.5, digits=5) == "1234.5"


@given(st.floats(-1e300, 1e300, allow_subnormal=False), st.integers(1, 8))
def test_a_number_is_rounded_to_its_digits(value: float, digits: int) -> None:
    read = float(format_number(value, digits=digits).replace(",", ""))
    # Half a unit of the last digit; longer whole numbers are shown to the unit.
    assert read == pytest.approx(value, rel=0.5000001 * 10 ** (1 - digits), abs=1e-300)
    compact = float(format_number(value, digits=digits, compact=True))
    assert compact == pytest.approx(value, rel=0.5000001 * 10 ** (1 - digits), abs=1e-300)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (12_345, "12,345 bytes"), (2**20, "1 MiB"), (2**62, "4,096 PiB")],
)  # fmt: skip
def test_bytes(size: int, text: str) -> None:
    assert format_bytes(size) == text


def test_words() -> None:
    assert truncate(" a\n b\t c ") == "a b c"
    assert truncate("x" * 10, 4) == "xxxx..."
    assert [plural(n, "seed") for n in (0, 1, 1200)] == ["0 seeds", "1 seed", "1,200 seeds"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (-3, "0 s"), (59.4, "59 s"), (85, "85 s"), (120, "2 min"), (7_300, "2 h"), (200_000, "2 d")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert truncate("caf\udce9 \x1b[31mred\x1b[0m \u202e") == "caf\\udce9 \\x1b[31mred\\x1b[0m \\u202e"
    assert truncate("é 数字") == "é 数字"
