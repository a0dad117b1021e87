"""The settings in which a study tried its candidates: what of the configuration varies beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan_lab.runs.naming import UNHASHED_KEYS
from gan_lab.runs.run import Run

Leaves = dict[str, Any]
Values = dict[str, str]

SEED_KEYS = ("seed", "seeds")
CANDIDATE_KEYS = ("activation", "generator_activation", "discriminator_activation")
# Neither what is only watched, nor which seeds, nor what the candidates themselves are makes a setting.
_NOT_A_SETTING = {*UNHASHED_KEYS, *SEED_KEYS, *CANDIDATE_KEYS}
_NOT_LEAVES = ("dataset.root", "model.generator.activation", "model.discriminator.activation")
# Everything else that varies is a means, and every candidate may be given its own best value of it.
_PROBLEM_KEYS = ("dataset", "model")


def settings(runs: Sequence[Run]) -> list[Values]:
    """Return for every run what of its configuration varies across the runs, beside activations and seeds.

    Chosen groups come first, then keys, all that tell what was asked for. Left out is what follows from it:
    the keys that ``dataset=ring`` brings along, unless they were typed, and copies of a key further down.
    """
    chosen = _varying_choices(runs)
    typed = {key for run in runs for key in _typed_keys(run)}
    brought = [tuple(values[i] for _, values in chosen) for i in range(len(runs))]
    kept = dict(chosen)
    parts = list(brought)
    for key, values in _varying_leaves(runs):
        if key in kept:  # what is chosen has a name
            continue
        finer = [(*part, value) for part, value in zip(parts, values, strict=True)]
        follows = len(set(zip(brought, values, strict=True))) == len(set(brought))
        is_new = not follows and values not in kept.values()
        if is_new or key in typed or len(set(finer)) > len(set(parts)):
            kept[key] = values
            parts = finer
    return [{key: values[i] for key, values in kept.items()} for i in range(len(runs))]


def setting_name(values: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in values.items())


def sort_key(values: Mapping[str, str]) -> tuple[tuple[int, float, str], ...]:
    """Sort settings: numbers by size, before words."""

    def one(value: str) -> tuple[int, float, str]:
        try:
            return 0, float(value), ""
        except ValueError:
            return 1, 0.0, value

    return tuple(one(value) for value in values.values())


def is_tuning_key(key: str) -> bool:
    """Return whether a key that varies is a means, such as a learning rate, and not the problem itself."""
    return key.split(".")[0] not in _PROBLEM_KEYS


def split_values(values: Mapping[str, str]) -> tuple[Values, Values]:
    """Split what varies into (problem, tuning)."""
    tuning = {key: value for key, value in values.items() if is_tuning_key(key)}
    return {key: value for key, value in values.items() if key not in tuning}, tuning


def leaves(node: Mapping[str, Any], prefix: str = "") -> Leaves:
    """Flatten {"a": {"b": 1}} to {"a.b": 1}; lists are leaves."""
    flat: Leaves = {}
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            flat |= leaves(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def varying_keys(nodes: Sequence[Leaves]) -> list[str]:
    """Return the keys whose value, or whose presence, is not the same in all nodes."""
    keys = sorted({key for node in nodes for key in node})
    return [key for key in keys if len({repr(node.get(key, ...)) for node in nodes}) > 1]


def format_value(value: Any) -> str:
    """Format a value as one would type it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{','.join(map(format_value, value))}]"
    return str(value)


def _typed_keys(run: Run) -> list[str]:
    """Return the keys that were typed for a run; none if Hydra left no record, as of Python code."""
    return [word.lstrip("+~").partition("=")[0] for word in run.overrides or ()]


def _varying_choices(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    groups = sorted({group for run in runs for group in run.status.choices if group != "experiment"})
    columns = []
    for group in groups:
        if group.split("@")[0] not in _NOT_A_SETTING:
            name = group.partition("@")[2] or group
            columns.append((name, [_choice(run, group, name) for run in runs]))
    return [(name, values) for name, values in columns if len(set(values)) > 1]


def _choice(run: Run, group: str, name: str) -> str:
    """Return the entry that was chosen; one that is empty, such as none, is what no choice is."""
    chosen = run.status.choices.get(group)
    return "none" if chosen is None or run.config.get(name, ...) in (None, {}) else str(chosen)


def setting_leaves(config: Mapping[str, Any]) -> Leaves:
    """Return the leaves of a configuration that a setting can consist of."""
    kept = {key: value for key, value in config.items() if key not in _NOT_A_SETTING}
    return {
        key: value for key, value in leaves(kept).items() if value != {} and not key.startswith(_NOT_LEAVES)
    }


def _varying_leaves(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    nodes = [setting_leaves(run.config) for run in runs]
    # A key near the root is what people type; copies of it further down follow from it.
    keys = sorted(varying_keys(nodes), key=lambda key: (key.count("."), key))
    return [(key, [format_value(node.get(key)) for node in nodes]) for key in keys]
