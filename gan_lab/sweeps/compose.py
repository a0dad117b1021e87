"""Compose the runs of a sweep as Hydra does, but what their overrides have in common only once.

Hydra reads and merges all files again for every run, which takes many times as long as to apply overrides
such as ``seed=3`` to the result. Imports no torch.
"""

import pickle
from collections.abc import Sequence

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException


class SweepComposer:
    """What `ConfigLoader.load_sweep_config` returns for the overrides of one run after another.

    An override that chooses an entry of a group changes which files are merged: for every distinct sequence
    of those, Hydra composes once, with nothing else. Overrides of values follow on a copy, in the order in
    which Hydra applies them. Whatever is neither is left to Hydra, as is every error.
    """

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self._loader, self._master = loader, master
        self._parser = OverridesParser.create()
        self._parsed: dict[str, Override] = {}
        self._bases: dict[tuple[str, ...], bytes] = {}
        self._groups: dict[str, bool] = {}
        hydra: list[str] = [str(override) for override in master.hydra.overrides.hydra]
        # The files that --config-dir and hydra.searchpath add are among those that Hydra looks through.
        self._repository = (
            loader._parse_overrides_and_create_caching_repo(master.hydra.job.config_name, hydra)[1]
            if isinstance(loader, ConfigLoaderImpl)
            else None
        )

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        try:
            composed = self._compose(overrides)
        # Hydra looks for plugins anew where joblib runs in this process, and then their classes are others.
        except (HydraException, OmegaConfBaseException, pickle.PicklingError):
            composed = None
        return composed or self._loader.load_sweep_config(self._master, list(overrides))

    def _compose(self, overrides: Sequence[str]) -> DictConfig | None:
        parsed = [self._parse(text) for text in overrides]
        if self._repository is None or any(map(_is_special, parsed)):
            return None
        choices = [override for override in parsed if self._is_choice(override)]
        if any(isinstance(override.value(), dict) for override in choices):
            return None
        cfg = self._base(tuple(str(override.input_line) for override in choices))
        values = [override for override in parsed if not self._is_choice(override)]
        ConfigLoaderImpl._apply_overrides_to_config(values, cfg)
        cfg.hydra.overrides.task.clear()
        cfg.hydra.overrides.task.extend([override.input_line for override in parsed])
        dirname = cfg.hydra.job.config.override_dirname
        cfg.hydra.job.override_dirname = get_overrides_dirname(
            overrides=parsed,
            kv_sep=dirname.kv_sep,
            item_sep=dirname.item_sep,
            exclude_keys=dirname.exclude_keys,
        )
        OmegaConf.copy_cache(from_config=self._master, to_config=cfg)
        return cfg

    def _parse(self, text: str) -> Override:
        if text not in self._parsed:
            [self._parsed[text]] = self._parser.parse_overrides([text])
        return self._parsed[text]

    def _is_choice(self, override: Override) -> bool:
        key = override.key_or_group
        if key not in self._groups:
            assert self._repository is not None
            self._groups[key] = self._repository.group_exists(key)
        return self._groups[key]

    def _base(self, choices: tuple[str, ...]) -> DictConfig:
        if choices not in self._bases:
            self._bases[choices] = pickle.dumps(self._loader.load_sweep_config(self._master, list(choices)))
        base = pickle.loads(self._bases[choices])  # a seventh of the time of a deep copy
        assert isinstance(base, DictConfig)
        return base


def _is_special(override: Override) -> bool:
    return override.is_sweep_override() or override.is_hydra_override()
