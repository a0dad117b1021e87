"""What is handed to Python functions as words that Hydra reads. Imports no torch."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_lab.config.errors import groups, single_choice_groups
from gan_lab.config.overrides import quote, quote_unless_text
from gan_lab.utils.checks import refusal
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import truncate


def check_words(overrides: Sequence[str]) -> list[str]:
    """Return overrides as a list of words; raise ConfigurationError for a string instead of a list."""
    if isinstance(overrides, str):
        raise ConfigurationError(
            f"overrides must be a list, {overrides.split()}, got the string {overrides!r}"
        )
    if not isinstance(overrides, (list, tuple)):
        raise refusal("overrides", overrides, "a list such as ['activation=elu']")
    words = list(overrides)
    for word in words:
        if not isinstance(word, str) or ("=" not in word and not word.startswith("~")):
            raise ConfigurationError(f"an override must be a string such as 'activation=elu', got {word!r}")
        if word.startswith("hydra/"):
            raise ConfigurationError(f"{truncate(word)} is for the command line: gan-lab train -m {word} ...")
    return words


def to_overrides(choices: Mapping[str, Any]) -> list[str]:
    """Return keywords as overrides: ``activation=["relu", "elu"]`` is ``activation=relu,elu``, a sweep.

    In a key two underscores are a dot (``optimizer__lr``). A tuple is one value that has several numbers, and
    of a group that takes several entries, such as metric, a list is one choice. Raises ConfigurationError for
    a value that no key can have.
    """
    return [to_override(key, value) for key, value in choices.items()]


def to_override(name: str, value: Any) -> str:
    """Return one keyword as an override; see `to_overrides`."""
    key = name.replace("__", ".")
    key = groups().get(key, key)
    if key not in groups().values():
        if not isinstance(value, list):
            return f"{key}={_value(key, value)}"
        return f"{key}={','.join(_value(key, one) for one in _some(key, value))}"
    if not isinstance(value, (list, tuple)):
        return f"{key}={_entry(key, value)}"
    names = ",".join(_entry(key, one) for one in _some(key, value))
    return f"{key}={names}" if key in single_choice_groups() else f"{key}=[{names}]"


def _some(key: str, values: Sequence[Any]) -> Sequence[Any]:
    if not values:
        raise ConfigurationError(f"{key} must have at least one value, got {values!r}")
    return values


def _entry(group: str, value: Any) -> str:
    """Return the name of an entry, or null for none."""
    if value is None:
        return "null"
    if isinstance(value, str) and "," in value and "(" not in value:
        names = [name.strip() for name in value.split(",")]
        raise ConfigurationError(f"{group} takes one name per string: {group}={names!r}, got {value!r}")
    if not isinstance(value, str) or not re.fullmatch(r"[\w.-]+|glob\(.+\)", value):
        shown = truncate(repr(value), 80)
        raise ConfigurationError(f"{group} must be a name such as {_example(group)!r}, got {shown}")
    return value


def _example(group: str) -> str:
    return {"activation": "elu", "dataset": "ring", "model": "dcgan"}.get(group.partition("@")[0], "none")


def _value(key: str, value: Any) -> str:
    """Return a value as Hydra writes it."""
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a number of NumPy or torch
        value = value.item()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, Path)):
        text = str(value)
        plain = text != "null" and re.fullmatch(r"[\w.+/-]+", text, re.ASCII)
        return quote_unless_text(text) if plain else quote(text)
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_value(key, one) for one in value)}]"
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{_value(key, one)}" for name, one in value.items()) + "}"
    raise ConfigurationError(
        f"{key} must be a number, a string, True, False, None, or a list of values to sweep over, "
        f"got {truncate(repr(value), 80)}"
    )
