"""What stands in both networks of a configuration, without training them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from torch import nn

from gan_lab.config.build import build
from gan_lab.config.command_line import complete_words
from gan_lab.config.errors import config_errors
from gan_lab.config.schema import check
from gan_lab.datasets.base import Dataset
from gan_lab.gan.activations import activation_sites
from gan_lab.gan.models.own import OwnNetwork
from gan_lab.gan.steps import PLAYERS
from gan_lab.training.build import build_gan, config_key_for
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir
from gan_lab.utils.tables import format_table, terminal_width
from gan_lab.utils.text import plural


def inspect(overrides: Sequence[str], folder: Path | None = None) -> Iterator[str]:
    """Yield the lines of a table for each network; ``folder`` is what ``--config-dir`` names."""
    words = complete_words(overrides, [] if folder is None else [folder])
    if folder is not None:
        if not folder.is_dir():
            raise ConfigurationError(f"--config-dir must be a folder, got {folder}")
        words = [*words, f"hydra.searchpath=['file://{folder.resolve()}']"]
    with config_errors(), initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", overrides=list(words))
    check(cfg)
    data: Dataset = build(cfg, "dataset")
    gan, _ = build_gan(cfg, data.shape)
    for player in PLAYERS:
        network = gan.get_submodule(player)
        target = cfg[config_key_for(cfg, "activation", player)]._target_
        yield f"{player}: {_title(network)}, activation {target}"
        width = terminal_width()
        table = format_table(_rows(network), left=(0, 1, 3, 4), width=width and width - 2)
        yield from (f"  {line}" for line in table)
        if isinstance(network, OwnNetwork):
            yield from (f"  note: {note}" for note in network.notes)


def _title(network: nn.Module) -> str:
    name = network.name if isinstance(network, OwnNetwork) else type(network).__name__
    return f"{name}, {plural(sum(p.numel() for p in network.parameters()), 'parameter')}"


def _rows(network: nn.Module) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("site", "activation", "input", "where", "what becomes of it")]
    if not isinstance(network, OwnNetwork):
        return rows + [(name, type(m).__name__, "", "", "chosen") for name, m in activation_sites(network)]
    for call in network.calls:
        shape = " x ".join(map(str, call.shape[1:]))
        kind = f"{call.kind}, in place" if call.in_place else call.kind
        rows.append((call.name, kind, shape, call.where or "module", network.fate(call)))
    return rows
