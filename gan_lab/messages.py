"""Hydra 1.3's and OmegaConf 2.3's error messages as one sentence that says what is allowed."""

import difflib
import re
import traceback
from collections.abc import Callable

from gan_lab.configuration import CHECKS

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
    "initialisation",
    "experiment",
)


def is_about_the_configuration(error: BaseException) -> bool:
    """Whether Hydra or OmegaConf raised it, rather than something that they called."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = frames[-1].f_globals.get("__name__", "") if frames else ""
    families = ("hydra.", "omegaconf.", "antlr4.")
    return type(error).__module__.startswith(families) or where.startswith(families)


def explain(message: str) -> str:
    """One sentence for a message; one that is not known keeps its first line."""
    for pattern, sentence in _MESSAGES:
        found = re.search(pattern, message, re.DOTALL)
        if found:
            return sentence(found)
    return message.strip().splitlines()[0]


def _no_such_entry(found: re.Match[str]) -> str:
    group, _, name = found["path"].rpartition("/")
    known = re.findall(r"^\t(\S+)$", found.string, re.MULTILINE)
    known = [entry for entry in known if "=" not in entry]
    there = f"; there are: {', '.join(known)}" if known else ""
    return f"no {group or 'configuration'} named {name!r}{_nearest(name, known)}{there}"


def _no_such_key(found: re.Match[str]) -> str:
    key = found["key"]
    return f"unknown setting {key!r}{_nearest(key, [*CHECKS, *GROUPS])} (gan-lab train --help lists all)"


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""


_MESSAGES: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (r"raised while resolving interpolation: (?P<why>[^\n]+)", lambda found: found["why"]),
    (r"Could not find '(?P<path>[^']+)'", _no_such_entry),
    (r"Could not override '(?P<key>[^'=]+)", _no_such_key),
    (r"Config group override must be a string", lambda _: "a group takes the name of an entry, not null"),
    (
        r"Error merging override (?P<key>[^=\s]+)=.*?\n\s*(?P<why>[^\n]+)",
        lambda found: f"{found['key']}: {found['why']}",
    ),
)
