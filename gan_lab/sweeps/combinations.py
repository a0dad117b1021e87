"""The runs that a command line with several values asks for. Imports no torch."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob
from omegaconf import DictConfig

from gan_lab.config.aliases import resolve_aliases


def combinations(
    loader: ConfigLoader, compose: Callable[[Sequence[str]], DictConfig], overrides: Sequence[str]
) -> list[list[str]]:
    """Return the Cartesian product of all choices, the overrides of one run after the other."""
    paths = [str(source.path) for source in loader.get_search_path().get_path()]
    folders = [Path(path.removeprefix("file://")) for path in paths if "pkg://" not in path]
    parser = OverridesParser.create(config_loader=loader)
    parsed = parser.parse_overrides(resolve_aliases(overrides, folders))
    [found] = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    # "Every activation" of gan-lab's own networks does not include the one that only others have.
    globs = [o.key_or_group for o in parsed if isinstance(o.value(), Glob)]
    as_written = {f"{key}=as_written" for key in globs if key.partition("@")[0] == "activation"}
    kept = [
        list(words)
        for words in found
        if as_written.isdisjoint(words) or "reference" in compose(list(words)).model
    ]
    return kept or [list(words) for words in found]  # the refusal says why
