"""What a study compares: the activations of each run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_lab.report.strata import Leaves, format_value, leaves, varying_keys
from gan_lab.runs.run import Run

PLAYERS = ("generator", "discriminator")


@dataclass(frozen=True)
class Candidate:
    """What is compared. base: the activations of generator and discriminator without their parameters."""

    name: str
    generator: str
    discriminator: str | None
    base: str


def candidates(runs: Sequence[Run]) -> list[Candidate]:
    """Name the candidate of every run.

    "elu" if both networks have it, "elu / relu" if generator and discriminator differ; parameters that vary
    under one name are added: "elu (alpha=0.5)".
    """
    variants: dict[str, list[Leaves]] = {}
    for run in runs:
        for player in PLAYERS:
            node = _activation(run, player)
            if node is not None:
                variants.setdefault(_base_name(run, player, node), []).append(leaves(node))
    varying = {base: varying_keys(nodes) for base, nodes in variants.items()}
    return [_candidate(run, varying) for run in runs]


def _candidate(run: Run, varying: Mapping[str, Sequence[str]]) -> Candidate:
    nodes = {player: node for player in PLAYERS if (node := _activation(run, player)) is not None}
    bases = {player: _base_name(run, player, node) for player, node in nodes.items()}
    names = {player: _full_name(bases[player], node, varying) for player, node in nodes.items()}
    generator, discriminator = names.get("generator", "none"), names.get("discriminator")
    same = discriminator in (None, generator)
    return Candidate(
        generator if same else f"{generator} / {discriminator}",
        generator,
        discriminator,
        " / ".join(dict.fromkeys(bases.values())) or "none",
    )


def _full_name(base: str, node: Mapping[str, Any], varying: Mapping[str, Sequence[str]]) -> str:
    values = leaves(node)
    parameters = ", ".join(f"{key}={format_value(values[key])}" for key in varying[base] if key in values)
    return f"{base} ({parameters})" if parameters else base


def _activation(run: Run, player: str) -> Mapping[str, Any] | None:
    """Find the activation that a network was built with: the model's node names it, whoever chose it."""
    network = (run.config.get("model") or {}).get(player)
    if isinstance(network, Mapping):
        node = network.get("activation")
        return node if isinstance(node, Mapping) else None
    node = run.config.get(f"{player}_activation") or run.config.get("activation")
    return node if isinstance(node, Mapping) else None


def _base_name(run: Run, player: str, node: Mapping[str, Any]) -> str:
    choices = run.status.choices
    chosen = choices.get(f"activation@{player}_activation") or choices.get("activation")
    return str(chosen or str(node.get("_target_", "?")).rpartition(".")[2])
