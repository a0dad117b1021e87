"""Overrides that Hydra would read as something else than what was meant. Imports no torch."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.config.errors import single_choice_groups
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import truncate

# Keys whose values are names: whatever is typed is text.
TEXT_KEYS = (
    *("study", "dataset.name", "dataset.path", "dataset.root", "report.primary", "report.reference"),
    "init_from",
)
_NO_SEARCH = ("resumable", "basic")
_OF_A_SWEEP = re.compile(r"[+~]*hydra[/.](launcher|sweeper|sweep)\b")


def key_of(override: str) -> str:
    """Return the key that an override sets: "optimizer.lr" of "+optimizer.lr=1e-3"."""
    return override.lstrip("+~").partition("=")[0]


def keep_text(overrides: Sequence[str]) -> list[str]:
    """Return overrides for Hydra in which the values of `TEXT_KEYS` are text as it was typed.

    ``dataset.path=2024_01_15`` is the number 20240115 to Hydra, and is quoted. Raises ConfigurationError for
    characters that need quotation marks, with the override that has them.
    """
    return [_keep_text(override) for override in overrides]


def check_choices(hydra: DictConfig) -> None:
    """Check Hydra's own node of a composed configuration for what would be ignored without a word.

    Raises ConfigurationError for a list in a group that takes one choice, of which only the last would count,
    for a launcher's or sweeper's key where there is no sweep, and for a search for the worst score.
    """
    typed = {
        key.lstrip("+"): names for key, _, names in (word.partition("=") for word in hydra.overrides.task)
    }
    # Hydra keeps no record of the choice of a group that was given a list.
    for group in sorted(single_choice_groups() - set(hydra.runtime.choices)):
        if group in typed or (hydra.job.config_name == "train" and f"~{group}" not in typed):
            names = typed.get(group, "[...]")
            raise ConfigurationError(
                f"{group} takes one choice, got {truncate(names)}: "
                f"gan-lab train -m {group}={truncate(names.strip('[]'))} sweeps over several"
            )
    if hydra.mode == RunMode.MULTIRUN:
        if searches(hydra) and "maximize" in str(hydra.sweeper.get("direction")).lower():
            raise ConfigurationError(
                "hydra.sweeper.direction=maximize looks for the worst: a run returns its score so that "
                "lower is better, with a minus where higher is; minimize looks for the best"
            )
        return
    for override in hydra.overrides.hydra:
        if _OF_A_SWEEP.match(override):
            raise ConfigurationError(
                f"{truncate(override)} is for sweeps, and this is a single run: "
                f"gan-lab train -m {truncate(shlex.quote(override))} ... makes it one"
            )


def searches(hydra: DictConfig) -> bool:
    """Whether a sweeper looks for the best values, and is neither gan-lab's own nor Hydra's basic one."""
    return hydra.mode == RunMode.MULTIRUN and hydra.runtime.choices["hydra/sweeper"] not in _NO_SEARCH


def _keep_text(override: str) -> str:
    match = re.fullmatch(r"(?P<key>\+{0,2}(?P<name>[\w.]+))=(?P<value>.*)", override, re.DOTALL)
    if match is None or match["name"] not in TEXT_KEYS:
        return override
    key, value = match["key"], match["value"]
    if match["name"] == "init_from" and value and Path(value).expanduser().exists():
        return f"{key}={quote(value)}"  # a run's name has = and , in it
    if re.fullmatch(r"[\w.+~/-]+(,[\w.+~/-]+)*", value, re.ASCII):
        return f"{key}={','.join(map(quote_unless_text, value.split(',')))}"
    if not _is_text(override):
        quoted = f"{key}={quote(value)}"
        quoted = shlex.quote(quoted) if re.search(r'["$`\\!]', quoted) else f'"{quoted}"'
        raise ConfigurationError(
            f"{match['name']}={truncate(value)} needs quotation marks: gan-lab train {truncate(quoted, 600)}"
        )
    return override


def quote_unless_text(word: str) -> str:
    """Return a word as it is if Hydra reads it as text, else in quotation marks."""
    try:
        value = OverridesParser.create().parse_override(f"key={word}").value()
    except (HydraException, ValueError):  # ~, or thousands of digits
        return quote(word)
    return quote(word) if isinstance(value, (bool, int, float)) else word


def _is_text(override: str) -> bool:
    """Whether Hydra can read an override, and not as a list or dictionary."""
    try:
        parsed = OverridesParser.create().parse_override(override)
        return parsed.is_sweep_override() or not isinstance(parsed.value(), (list, dict))
    except HydraException:
        return False


def quote(text: str) -> str:
    """Quote text as Hydra reads it: backslashes count only in front of a quotation mark."""
    return "'" + re.sub(r"(\\*)('|$)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), text) + "'"
