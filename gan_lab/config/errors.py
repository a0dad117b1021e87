"""Hydra 1.3's and OmegaConf 2.3's error messages as one sentence that says what is allowed."""

import difflib
import re
import traceback
from collections.abc import Callable

from gan_lab.config.schema import VALIDATORS
from gan_lab.utils.text import truncate

GROUPS = (
    "activation",
    "generator_activation",
    "discriminator_activation",
    "dataset",
    "model",
    "optimizer",
    "generator_optimizer",
    "discriminator_optimizer",
    "objective",
    "regularizer",
    "augmentation",
    "initialization",
    "experiment",
)


_READER = "hydra._internal.core_plugins.file_config_source"
_LONGEST = 400  # characters of a sentence: somebody else's may hold all that was typed


def is_about_the_configuration(error: BaseException) -> bool:
    """Whether Hydra or OmegaConf raised it, rather than something that they called."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = frames[-1].f_globals.get("__name__", "") if frames else ""
    families = ("hydra.", "omegaconf.", "antlr4.", "yaml.")
    reading = any(f.f_globals.get("__name__") == _READER for f in frames)  # a file that is no text
    return type(error).__module__.startswith(families) or where.startswith(families) or reading


def explain(error: BaseException) -> str:
    """One sentence for an error; one that is not known keeps the first line of its message."""
    message = str(error)
    if error.__cause__ is not None and "\n" not in message:  # Hydra may leave the reason to the cause
        message += f"\n{error.__cause__}"
    for pattern, sentence in _MESSAGES:
        found = re.search(pattern, message, re.DOTALL)
        if found:
            return truncate(sentence(found), _LONGEST)
    return truncate((message.strip().splitlines() or ["something that Hydra cannot read"])[0], _LONGEST)


# Hydra's launchers that are packages of their own -> the extra of gan-lab that installs them.
_EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "submitit_local": "slurm", "ray": "ray"}


def _no_such_launcher(found: re.Match[str]) -> str:
    extra = _EXTRAS[found["name"]]
    return f"this hydra/launcher needs what the extra {extra!r} installs: pip install 'gan-lab[{extra}]'"


def _no_such_entry(found: re.Match[str]) -> str:
    group, _, name = found["path"].rpartition("/")
    known = re.findall(r"^\t(\S+)$", found.string, re.MULTILINE)
    known = [entry for entry in known if "=" not in entry]
    there = f"; there are: {', '.join(known)}" if known else ""
    return f"no {group or 'configuration'} named {name!r}{_nearest(name, known)}{there}"


def _no_such_key(found: re.Match[str]) -> str:
    key = found["key"]
    if key in (*VALIDATORS, *GROUPS):
        return f"{key} cannot be set like that with the other choices: a group takes a name, and +{key}= adds"
    return f"unknown setting {key!r}{_nearest(key, [*VALIDATORS, *GROUPS])} (gan-lab train --help lists all)"


def _unreadable(found: re.Match[str]) -> str:
    typed = found["typed"].partition("\n")[0].strip()[:60]
    return (
        f"cannot read {typed!r}: an override is key=value, and a value with other characters than "
        "ASCII letters, digits and simple signs stands in quotation marks, such as study=\"'é'\""
    )


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""


_MESSAGES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"raised while resolving interpolation: (?P<why>[^\n]+)", lambda found: found["why"]),
    (rf"Could not (find|load) 'hydra/launcher/(?P<name>{'|'.join(_EXTRAS)})'", _no_such_launcher),
    (r"Could not find '(?P<path>[^']+)'", _no_such_entry),
    (r"Could not override '(?P<key>[^'=]+)", _no_such_key),
    (r"LexerNoViableAltException:(?P<typed>.*)", _unreadable),
    (r"Could not override ''", lambda _: "an override is key=value, and one has no key"),
    (r"integer string conversion", lambda _: "a number is too long: it has thousands of digits"),
    (r"Could not load '(?P<path>[^']+)'", lambda found: f"there is no {found['path']!r} to choose"),
    (
        r"Config group override must be a string",
        lambda _: "a group takes the name of an entry, not null or a number (quotation marks make a name)",
    ),
    (
        r"(?P<why>[^\n]+)\n\s+in \"(?P<file>[^\"]+)\",? (line|position) (?P<line>\d+)[^\n]*\s*$",
        lambda found: f"{found['file']}, line {found['line']}: {found['why']}",
    ),
    (r"codec can't decode", lambda _: "a configuration file is not text in UTF-8"),
    (r"maximum recursion depth", lambda _: "a configuration file is nested too deeply"),
    (
        r"Error merging override (?P<key>[^=\s]+)=.*?\n\s*(?P<why>[^\n]+)",
        lambda found: f"{found['key']}: {found['why']}",
    ),
)
