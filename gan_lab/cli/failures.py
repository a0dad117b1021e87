"""Errors of Hydra, OmegaConf and gan-lab as one sentence on stderr and exit code 2."""

import difflib
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from gan_lab.errors import GanLabError, Refused


@contextmanager
def one_sentence(*, debug: bool = False) -> Iterator[None]:
    """End the process with one sentence for errors that are the caller's; ``debug`` lets them through."""
    try:
        yield
    except (GanLabError, Refused) as error:
        if debug:
            raise
        fail(str(error))
    except KeyboardInterrupt as stop:
        print(f"gan-lab: {stop or 'stopped'}", file=sys.stderr)
        sys.exit(getattr(stop, "exit_code", 130))
    except Exception as error:
        if debug:
            raise
        if _is_about_the_configuration(error):
            fail(explain(str(error)))
        elif isinstance(error, OSError) and error.filename is not None:
            fail(f"{error.filename}: {error.strerror}")
        raise


def _is_about_the_configuration(error: Exception) -> bool:
    """Whether Hydra or OmegaConf raised it; neither is imported here, which would slow down `--help`."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = frames[-1].f_globals.get("__name__", "") if frames else ""
    families = ("hydra.", "omegaconf.", "antlr4.")
    return type(error).__module__.startswith(families) or where.startswith(families)


def fail(sentence: str) -> None:
    print("gan-lab: " + " ".join(sentence.split()), file=sys.stderr)
    sys.exit(2)


def explain(message: str) -> str:
    """Hydra 1.3's and OmegaConf 2.3's message in one sentence; one that is not known keeps its first line."""
    for pattern, sentence in _MESSAGES:
        found = re.search(pattern, message, re.DOTALL)
        if found:
            return sentence(found)
    return message.strip().splitlines()[0]


def _no_such_entry(found: re.Match[str]) -> str:
    group, name = found["path"].rsplit("/", 1) if "/" in found["path"] else ("", found["path"])
    known = re.findall(r"^\t(\S+)$", found.string, re.MULTILINE)
    there = f"; there are: {', '.join(known)}" if known else ""
    return f"no {group or 'configuration'} named {name!r}{_nearest(name, known)}{there}"


def _no_such_group(found: re.Match[str]) -> str:
    return f"unknown group in {found['override']!r}: nothing of that name is in configs/train.yaml"


def _no_such_key(found: re.Match[str]) -> str:
    from gan_lab.configuration import CHECKS

    key = found["key"]
    known = [*CHECKS, *_GROUPS]
    return f"unknown setting {key!r}{_nearest(key, known)} (gan-lab train --help lists all)"


def _wrong_type(found: re.Match[str]) -> str:
    return f"{found['key']}: {found['why']}"


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""


_GROUPS = (
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

_MESSAGES = (
    (r"Error raised while resolving interpolation: (?P<why>[^\n]+)", lambda found: found["why"]),
    (r"Could not find '(?P<path>[^']+)'", _no_such_entry),
    (r"Could not override '(?P<key>[^']+)'\.?\s+No match in the defaults list", _no_such_key),
    (r"Could not override '(?P<override>[^']+)'.*No match in the defaults list", _no_such_group),
    (r"Could not override '(?P<key>[^']+)'", _no_such_key),
    (r"Config group override must be a string", lambda _: "a group takes the name of an entry, not null"),
    (r"Error merging override (?P<key>[^=\s]+)=.*?\n\s*(?P<why>[^\n]+)", _wrong_type),
)
