"""How a word after ``gan-lab train`` may go on, for the shell's TAB key. Imports no torch."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from gan_lab.config.aliases import entries
from gan_lab.config.command_line import FLAGS, config_folders
from gan_lab.config.errors import groups, settings
from gan_lab.config.schema import VALIDATORS
from gan_lab.utils.checks import check_bool

_DEVICES = ("auto", "cpu", "cuda", "mps")
_OWN_LAUNCHERS = ("worker", "basic")  # those that are no file in configs/hydra/launcher


def complete(words: Sequence[str], incomplete: str) -> list[str]:
    """Return all that ``incomplete`` may become; what ends with = or . is not complete yet.

    ``words`` are those in front of it: entries of the folders that ``--config-dir`` names are offered too. In
    a list (activation=relu,e) the last name is completed, and none is offered twice.
    """
    if incomplete.startswith("-"):
        return _starting(incomplete, (flag for flag in FLAGS if flag.startswith("--") or len(flag) == 2))
    prefix = incomplete[: len(incomplete) - len(incomplete.lstrip("+~"))]
    key, equals, value = incomplete[len(prefix) :].partition("=")
    if not equals:
        return [prefix + name for name in _starting(key, _levels(key))]
    done = value[: max(value.rfind(mark) for mark in ",[(") + 1]
    used = set(done.strip("[(,").split(","))
    names = (name for name in _values(key, words) if name not in used)
    return [f"{prefix}{key}={done}{name}" for name in _starting(value[len(done) :], names)]


def _starting(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted({name for name in names if name.startswith(incomplete)})


def _levels(typed: str) -> Iterator[str]:
    """Yield keys and groups, of nested keys the level that is being typed: log., then log.every=."""
    yield from (f"{option}=" for option in (*groups().values(), "hydra/launcher"))
    level = typed.count(".")
    for key in settings():
        parts = key.split(".")
        if "_partial_" not in parts and len(parts) > level and key not in groups():
            yield ".".join(parts[: level + 1]) + ("." if len(parts) > level + 1 else "=")


def _values(key: str, words: Sequence[str]) -> Iterable[str]:
    """Return the values that a key may take, as far as there is a list of them."""
    if key in groups().values():
        return entries(key.partition("@")[0], config_folders(words))
    if key == "hydra/launcher":
        return {*entries(key, config_folders(words)), *_OWN_LAUNCHERS}
    if key == "device":
        return _DEVICES
    validate = VALIDATORS.get(key)
    if validate is check_bool:
        return ("true", "false")
    choices: Iterable[str] = validate.keywords.get("choices", ()) if isinstance(validate, partial) else ()
    return choices
