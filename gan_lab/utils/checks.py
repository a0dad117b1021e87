"""Validators: each raises one sentence that names the key, the value and what is allowed. Imports no torch.

They return the value, so that a constructor can check what it keeps in the same line.
"""

import math
import os
import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import truncate

Validator = Callable[[str, Any], object]
LARGEST = 10**15  # far from where a number stops fitting into 64 bits, whatever it is multiplied by


def check_int(key: str, value: Any, at_least: int = 1, at_most: int | None = None) -> int:
    """Check that ``value`` is an int (a bool is none) within the bounds."""
    bounds = f"of at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise refusal(key, value, f"a whole number {bounds}")
    if value > (LARGEST if at_most is None else at_most):
        raise refusal(key, value, f"at most {LARGEST}" if at_most is None else f"a whole number {bounds}")
    return value


def check_number(
    key: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    allowed: str | None = None,
) -> float:
    """Check that ``value`` is a finite int or float (a bool is none) within the bounds; return it as a float.

    ``allowed`` says in words what the bounds allow, if there are better ones than theirs.
    """
    number = _as_float(value)
    within = (
        (above is None or number > above)
        and (at_least is None or number >= at_least)
        and (below is None or number < below)
        and (at_most is None or number <= at_most)
    )
    if not (within and math.isfinite(number)):
        limits = (("above", above), ("of at least", at_least), ("below", below), ("of at most", at_most))
        bounds = " and ".join(f"{words} {bound:g}" for words, bound in limits if bound is not None)
        raise refusal(key, value, allowed or f"a number {bounds}".rstrip())
    if isinstance(value, int) and abs(value) > LARGEST:
        raise refusal(key, value, f"at most {LARGEST}")
    return number


def check_choice(key: str, value: Any, choices: Collection[str]) -> str:
    """Check that ``value`` is one of ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise refusal(key, value, f"one of {', '.join(choices)}")
    return value


def check_bool(key: str, value: Any) -> bool:
    """Check that ``value`` is True or False."""
    if not isinstance(value, bool):
        raise refusal(key, value, "true or false")
    return value


def check_name(key: str, value: Any) -> str:
    """Check that ``value`` can name a folder or a file."""
    if not isinstance(value, str) or not re.fullmatch(r"\w[\w.,=+ -]{0,99}", value):
        raise refusal(key, value, "a name of at most 100 letters, digits, spaces and . , = + - _")
    return value


def check_text(key: str, value: Any, allowed: str) -> str:
    """Check that ``value`` is text, and more than blanks."""
    if not isinstance(value, str) or not value.strip():
        raise refusal(key, value, allowed)
    return value


def check_path(key: str, value: Any, allowed: str) -> Path:
    """Check that ``value`` is a path, or text that names one."""
    if not isinstance(value, (str, os.PathLike)):
        raise refusal(key, value, allowed)
    return Path(value)


def check_texts(key: str, value: Any, allowed: str) -> Sequence[str]:
    """Check that ``value`` is a list of texts; a text alone, whose characters would be taken, is none."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
        raise refusal(key, value, allowed)
    return value


def refusal(key: str, value: Any, allowed: str) -> ConfigurationError:
    """Return the error for a ``value`` that is not what ``key`` must be."""
    return ConfigurationError(f"{key} must be {allowed}, got {truncate(_repr(value))}")


def _as_float(value: Any) -> float:
    """Return the float nearest to a number, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an int of more than 308 digits
        return math.inf


def _repr(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # an int of more than 4,300 digits, or somebody else's class
        return f"a value of type {type(value).__name__}"
