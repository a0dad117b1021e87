"""What a study compares: the activation of each run, and the settings in which it was tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_lab.runs.naming import UNHASHED_KEYS
from gan_lab.runs.run import Run

PLAYERS = ("generator", "discriminator")
# What a run is watched with, where, and how it is told from others, none of which changes what is compared.
# Scores of differing features, metrics and sample counts are refused, not compared in settings of their own.
_NOT_A_SETTING = {
    *UNHASHED_KEYS,
    *("seed", "seeds", "activation", "generator_activation", "discriminator_activation"),
} - {"steps"}
_NOT_LEAVES = ("dataset.root", "model.generator.activation", "model.discriminator.activation")

Leaves = dict[str, Any]


@dataclass(frozen=True)
class Candidate:
    """What is compared. base: generator's and discriminator's activation by its configured name alone."""

    name: str
    generator: str
    discriminator: str | None
    base: str


def candidates(runs: Sequence[Run]) -> list[Candidate]:
    """The candidate of every run.

    "elu" where both networks have it, "elu / relu" where generator and discriminator differ; parameters
    that vary under one name are told: "elu (alpha=0.5)".
    """
    variants: dict[str, list[Leaves]] = {}
    for run in runs:
        for player in PLAYERS:
            node = _activation(run, player)
            if node is not None:
                variants.setdefault(_name(run, player, node), []).append(leaves(node))
    varying = {name: varying_keys(nodes) for name, nodes in variants.items()}
    return [_candidate(run, varying) for run in runs]


def _candidate(run: Run, varying: Mapping[str, Sequence[str]]) -> Candidate:
    names: list[str | None] = []
    bases: list[str] = []
    for player in PLAYERS:
        node = _activation(run, player)
        if node is None:
            names.append(None)
            continue
        base = _name(run, player, node)
        own = leaves(node)
        told = ", ".join(f"{key}={show(own[key])}" for key in varying[base] if key in own)
        names.append(f"{base} ({told})" if told else base)
        bases.append(base)
    generator, discriminator = names
    generator = generator or "none"
    same = discriminator is None or discriminator == generator
    alike = len(set(bases)) <= 1
    return Candidate(
        generator if same else f"{generator} / {discriminator}",
        generator,
        discriminator,
        (bases or ["none"])[0] if alike else " / ".join(bases),
    )


def settings(runs: Sequence[Run]) -> list[dict[str, str]]:
    """For every run, what of its configuration varies across the runs, beside activations and seeds.

    Chosen groups first, then keys; what follows from those already told is left out, so that
    ``dataset=ring`` does not list everything that the ring brings along.
    """
    told: list[tuple[str, list[str]]] = []
    for key, values in _varying_choices(runs) + _varying_leaves(runs):
        before = _parts(told, len(runs))
        if len(set(zip(before, values, strict=True))) > len(set(before)):
            told.append((key, values))
    return [{key: values[i] for key, values in told} for i in range(len(runs))]


def order(setting: Mapping[str, str]) -> tuple[tuple[int, float, str], ...]:
    """Sorts settings: numbers by size, before words."""

    def one(value: str) -> tuple[int, float, str]:
        try:
            return 0, float(value), ""
        except ValueError:
            return 1, 0.0, value

    return tuple(one(value) for value in setting.values())


def label(setting: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in setting.items())


def leaves(node: Mapping[str, Any], prefix: str = "") -> Leaves:
    """{"a": {"b": 1}} -> {"a.b": 1}; lists are leaves."""
    found: Leaves = {}
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            found |= leaves(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def varying_keys(nodes: Sequence[Leaves]) -> list[str]:
    """Keys whose value, or whose being there, is not the same in all."""
    keys = sorted({key for node in nodes for key in node})
    return [key for key in keys if len({repr(node.get(key, ...)) for node in nodes}) > 1]


def show(value: Any) -> str:
    """A value as one would type it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{','.join(map(show, value))}]"
    return str(value)


def _activation(run: Run, player: str) -> Mapping[str, Any] | None:
    """What a network was built with: the model's node says it, whoever chose it."""
    network = (run.config.get("model") or {}).get(player)
    if isinstance(network, Mapping):
        node = network.get("activation")
        return node if isinstance(node, Mapping) else None
    node = run.config.get(f"{player}_activation") or run.config.get("activation")
    return node if isinstance(node, Mapping) else None


def _name(run: Run, player: str, node: Mapping[str, Any]) -> str:
    choices = run.status.choices
    chosen = choices.get(f"activation@{player}_activation") or choices.get("activation")
    return str(chosen or str(node.get("_target_", "?")).rpartition(".")[2])


def _varying_choices(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    groups = sorted({group for run in runs for group in run.status.choices if group != "experiment"})
    columns = []
    for group in groups:
        name = group.partition("@")[2] or group
        if group.split("@")[0] not in _NOT_A_SETTING:
            columns.append((name, [str(run.status.choices.get(group, "null")) for run in runs]))
    return [(name, values) for name, values in columns if len(set(values)) > 1]


def _varying_leaves(runs: Sequence[Run]) -> list[tuple[str, list[str]]]:
    own = [
        {
            key: value
            for key, value in leaves({k: v for k, v in run.config.items() if k not in _NOT_A_SETTING}).items()
            if not key.startswith(_NOT_LEAVES)
        }
        for run in runs
    ]
    # A key near the root is what people type; copies of it further down follow from it.
    keys = sorted(varying_keys(own), key=lambda key: (key.count("."), key))
    return [(key, [show(node.get(key)) for node in own]) for key in keys]


def _parts(told: Sequence[tuple[str, list[str]]], count: int) -> list[tuple[str, ...]]:
    return [tuple(values[i] for _, values in told) for i in range(count)]
