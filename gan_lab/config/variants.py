"""Groups that each network may have of its own: ``schedule@generator_schedule=linear``. Imports no torch."""

from collections.abc import Sequence
from pathlib import Path

from gan_lab.config.aliases import entries, entry_called
from gan_lab.config.errors import default_entries, groups, keys_of


def keys_of_one_network(key: str, words: Sequence[str], folders: Sequence[Path] = ()) -> list[str]:
    """Return the keys that ``key`` may mean, which is typed although the choice of both networks lacks it.

    ``schedule.length`` is ``generator_schedule.length`` beside ``schedule@generator_schedule=linear``. Empty
    if both networks' choice has the key or cannot be known, or if no network's own choice has it.
    """
    group, _, name = key.partition(".")
    variants = [option for option in groups().values() if option.startswith(f"{group}@")]
    typed = {option: entry for option, _, entry in (word.lstrip("+").partition("=") for word in words)}
    if not name or not variants or ("experiment" in typed and group not in typed):
        return []
    both = typed.get(group) or default_entries()[group] or "none"
    known = entries(group)

    def has_key(chosen: str, unknown: bool) -> bool:
        names = [entry_called(group, entry, folders) for entry in chosen.split(",")]
        return any(f"{group}.{name}" in keys_of(group, e) if e in known else unknown for e in names if e)

    if both not in ("none", "null") and has_key(both, True):
        return []
    return [f"{v.partition('@')[2]}.{name}" for v in variants if v in typed and has_key(typed[v], False)]
