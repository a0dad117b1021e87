"""Errors of Hydra 1.3 and OmegaConf 2.3 as one sentence that says what is allowed. Imports no torch."""

import difflib
import re
import shlex
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import yaml  # type: ignore[import-untyped]

from gan_lab.config.aliases import ENTRIES, KEYS, NO_KEYS, entries, entry_called
from gan_lab.utils.errors import ConfigurationError, GanLabError
from gan_lab.utils.paths import config_dir
from gan_lab.utils.text import truncate

_READER = "hydra._internal.core_plugins.file_config_source"
_MAX_LENGTH = 400  # characters of a sentence: somebody else's may hold all that was typed


@contextmanager
def config_errors() -> Iterator[None]:
    """Raise `ConfigurationError` with one sentence for what Hydra or OmegaConf raises inside."""
    try:
        yield
    except GanLabError:
        raise
    except Exception as error:
        if is_config_error(error):
            raise ConfigurationError(describe_error(error)) from error
        raise


def is_config_error(error: BaseException) -> bool:
    """Whether Hydra or OmegaConf raised it, rather than something that they called."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = frames[-1].f_globals.get("__name__", "") if frames else ""
    families = ("hydra.", "omegaconf.", "antlr4.", "yaml.")
    reading = any(f.f_globals.get("__name__") == _READER for f in frames)  # a file that is no text
    return type(error).__module__.startswith(families) or module.startswith(families) or reading


def describe_error(error: BaseException) -> str:
    """Return one sentence; for an error that is not known its whole message, as one line."""
    message = str(error)
    if error.__cause__ is not None and "\n" not in message:  # Hydra may leave the reason to the cause
        message += f"\n{error.__cause__}"
    for pattern, sentence in _MESSAGES:
        match = re.search(pattern, message, re.DOTALL)
        if match:
            return truncate(sentence(match), _MAX_LENGTH)
    return truncate(message, _MAX_LENGTH) or "something that Hydra cannot read"


def groups() -> dict[str, str]:
    """Return key -> how it is chosen: {"generator_activation": "activation@generator_activation", ...}."""
    folders = {path.name: path.name for path in config_dir().iterdir() if path.is_dir()}
    variants = {name.partition("@")[2]: name for name in _defaults() if "@" in name}
    return {name: option for name, option in (folders | variants).items() if name != "hydra"}


@cache
def single_choice_groups() -> frozenset[str]:
    """Return the groups that take one entry, as they are chosen: all but metric, diagnostic and logger."""
    lines = (entry.items() for entry in _read("train")["defaults"] if isinstance(entry, dict))
    several = {str(name) for items in lines for name, chosen in items if isinstance(chosen, list)}
    return frozenset(groups().values()) - several - {"logger"}  # of which the default is none


@cache
def settings() -> frozenset[str]:
    """Return every key that the configuration files hold: steps, log.every, optimizer.lr, ..."""
    keys = {key for key in _keys(_read("train")) if not key.startswith(("defaults", "hydra."))}
    for name, option in groups().items():
        folder = option.partition("@")[0]
        for entry in entries(folder) if name != "experiment" else ():
            keys.update(keys_of(folder, entry, name))
    return frozenset(key for key in keys if not key.startswith("defaults"))


def keys_of(group: str, entry: str, name: str = "") -> set[str]:
    """Return every key that an entry's file holds, those of its group under ``name``."""
    path = config_dir() / group / f"{entry}.yaml"
    whole = path.read_text(encoding="utf-8").startswith("# @package _global_")
    return set(_keys(_read(f"{group}/{entry}"), "" if whole else name or group))


@cache
def default_entries() -> dict[str, Any]:
    """Return what train.yaml chooses: group, as it is typed -> entry, None or a list of entries."""
    return {
        str(name): chosen
        for entry in _read("train")["defaults"]
        if isinstance(entry, dict)
        for name, chosen in entry.items()
    }


def _defaults() -> list[str]:
    """Return the names on train.yaml's defaults list: activation, activation@generator_activation, ..."""
    return list(default_entries())


def _read(name: str) -> Any:
    return yaml.safe_load((config_dir() / f"{name}.yaml").read_text(encoding="utf-8"))


def _keys(node: Any, prefix: str = "") -> Iterator[str]:
    """Yield the dotted key of every value in nested dictionaries."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from _keys(value, f"{prefix}.{key}" if prefix else str(key))
    elif prefix and not prefix.endswith("_target_"):
        yield prefix


# Hydra's launchers and sweepers that are packages of their own -> the extra of gan-lab that installs them.
_EXTRAS = {
    "launcher/joblib": "joblib",
    "launcher/joblib_on_gpus": "joblib",
    "launcher/submitit_slurm": "slurm",
    "launcher/submitit_local": "slurm",
    "launcher/ray": "ray",
    "sweeper/optuna": "optuna",
}


def _no_such_plugin(match: re.Match[str]) -> str:
    extra, kind = _EXTRAS[match["name"]], match["name"].partition("/")[0]
    return f"this hydra/{kind} needs what the extra {extra!r} installs: pip install 'gan-lab[{extra}]'"


def _no_such_entry(match: re.Match[str]) -> str:
    group, _, name = match["path"].rpartition("/")
    listed = re.findall(r"^\t(\S+)$", match.string, re.MULTILINE)
    listed = [entry for entry in listed if "=" not in entry]
    choices = f"; choose from {', '.join(listed)}" if listed else ""
    known = entry_called(group, name)
    hint = f", it is called {known!r}" if known else _did_you_mean(name, _names_of(group, listed))
    return f"no {group or 'configuration'} named {name!r}{_joined(hint, choices)}"


def _no_such_file(match: re.Match[str]) -> str:
    """One name of a list, of which Hydra does not say what there is."""
    group, _, name = match["path"].rpartition("/")
    known = sorted(entries(group)) if group in groups() else []
    choices = f"; choose from {', '.join(known)}, or an entry of your own (--config-dir)" if known else ""
    hint = _did_you_mean(name, _names_of(group, known))
    return f"no {group or 'configuration'} named {name!r}{_joined(hint, choices)}"


def _no_such_key(match: re.Match[str]) -> str:
    key = match["key"]
    if key.startswith("hydra.launcher."):
        name = key.removeprefix("hydra.launcher.")
        return f"the chosen hydra/launcher has no key {name!r} (-m hydra/launcher=NAME chooses another)"
    options = groups()
    if (remedy := NO_KEYS.get(key)) is not None:
        return f"there is no {key!r} here; {remedy}"
    if key in KEYS:
        typed = re.search(
            rf"^To append to your [a-z ]+ use \+{re.escape(key)}=(.*)$", match.string, re.MULTILINE
        )
        value = typed[1] if typed else "..."
        return f"there is no {key!r} here; type {KEYS[key]}={value}"
    if options.get(key, key) != key:
        return f"{key} is chosen with {options[key]}=NAME"
    if key in options:
        return f"{key} cannot be set like that with the other choices: a group takes a name, and +{key}= adds"
    if key in settings():
        group, _, name = key.partition(".")
        folder = options.get(group, group).partition("@")[0]
        homes = [entry for entry in sorted(entries(folder)) if f"{folder}.{name}" in keys_of(folder, entry)]
        listed = " or ".join(filter(None, (", ".join(homes[:-1]), *homes[-1:])))
        where = f": {folder}={listed} has it" if homes else ""
        return f"the chosen {group} has no key {name!r}{where}"
    hint = _did_you_mean(key.rpartition("@")[2], {**{name: name for name in settings()}, **options})
    return f"unknown setting {key!r}{hint} (gan-lab train --help lists all)"


def _unreadable(match: re.Match[str]) -> str:
    typed = match["typed"].partition("\n")[0].strip()[:60]
    return (
        f"cannot read {typed!r}: an override is key=value, and a value with other characters than "
        "ASCII letters, digits and simple signs needs quotation marks, such as study=\"'é'\""
    )


def _names_of(group: str, listed: Collection[str]) -> dict[str, str]:
    """Return all names, other common ones too, of the entries that are there -> the entry."""
    others = {other: entry for other, entry in ENTRIES.get(group, {}).items() if entry in listed}
    return others | {entry: entry for entry in listed}


def _did_you_mean(name: str, options: Mapping[str, str]) -> str:
    """Name the option nearest to ``name``, if any is near; ``options``: name -> how it is typed."""
    near = difflib.get_close_matches(name, options, n=1)
    return f", did you mean {options[near[0]]!r}?" if near else ""


def _joined(hint: str, choices: str) -> str:
    """Append the choices to a hint; a question mark at its end is mark enough."""
    return hint + (choices.removeprefix(";") if hint.endswith("?") else choices)


def _several_values(match: re.Match[str]) -> str:
    typed = shlex.quote(match["typed"])
    return f"{match['typed']} requires --multirun: gan-lab train -m {typed} sweeps over its values"


_MESSAGES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"raised while resolving interpolation: (?P<why>[^\n]+)", lambda match: match["why"]),
    (rf"Could not (find|load) 'hydra/(?P<name>{'|'.join(_EXTRAS)})'", _no_such_plugin),
    (r"Could not find '(?P<path>[^']+)'", _no_such_entry),
    (r"(Could not override|config group) '(?P<key>[^'=]+)", _no_such_key),
    (r"Ambiguous value for argument '(?P<typed>[^\n]*)'\s*\n", _several_values),
    (r"Sweep parameters '(?P<typed>[^\n]*)' requires --multirun", _several_values),
    (r"LexerNoViableAltException:(?P<typed>.*)", _unreadable),
    (
        r"Error parsing override '(?P<typed>[^']*)'\nmissing EQUAL",
        lambda match: f"{match['typed'][:60]!r} is no override: write key=value",
    ),
    (r"^mismatched input '<EOF>'", lambda _: "an override is key=value, and one is empty"),
    (r"Could not override ''", lambda _: "an override is key=value, and one has no key"),
    (r"integer string conversion", lambda _: "a number is too long: it has thousands of digits"),
    (r"Could not load '(?P<path>[^']+)'", _no_such_file),
    (
        r"Config group override must be a string",
        lambda _: (
            "a group takes the name of an entry, not null or a number (quotation marks make a name): "
            "leave the word out for its default"
        ),
    ),
    (
        r"(?P<why>[^\n]+)\n\s+in \"(?P<file>[^\"]+)\",? (line|position) (?P<line>\d+)[^\n]*\s*$",
        lambda match: f"{match['file']}, line {match['line']}: {match['why']}",
    ),
    (r"codec can't decode", lambda _: "a configuration file is not text in UTF-8"),
    (r"maximum recursion depth", lambda _: "a configuration file is nested too deeply"),
    (
        r"Error merging override (?P<key>[^=\s]+)=.*?\n\s*(?P<why>[^\n]+)",
        lambda match: f"{match['key']}: {match['why']}",
    ),
)
