"""Hydra's sweeper as gan-lab wants it: a sweep that can be repeated, and that no bad run stops.

Hydra imports this module at every start, also of other programs in the same environment: it must be quick,
and what it needs of gan-lab is imported where it is used. Hydra finds it because ``hydra_plugins`` is a
namespace package: a file ``__init__.py`` here would hide everybody else's plugins.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf


@dataclass
class KeepGoingConf(BasicSweeperConf):
    """The same keys as Hydra's own sweeper has."""

    _target_: str = "hydra_plugins.gan_lab_keep_going.KeepGoing"


ConfigStore.instance().store(group="hydra/sweeper", name="keep_going", node=KeepGoingConf, provider="gan-lab")


class KeepGoing(BasicSweeper):
    """The Cartesian product of all choices, as Hydra's basic sweeper makes it, under any launcher."""

    def sweep(self, arguments: list[str]) -> Any:
        from gan_lab.jobs.sweep import sweep

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        loader, config, launcher = self.hydra_context.config_loader, self.config, self.launcher
        parser = OverridesParser.create(config_loader=loader)
        [combinations] = self.split_arguments(
            parser.parse_overrides([*self._parse_config(), *arguments]), max_batch_size=None
        )

        def compose(overrides: list[str]) -> DictConfig:
            return loader.load_sweep_config(config, overrides)

        def begin(study: Path) -> None:
            study.mkdir(parents=True, exist_ok=True)
            OmegaConf.save(config, study / "multirun.yaml")

        failed = sweep(combinations, compose, begin, launcher.launch, self.max_batch_size)
        if failed:
            sys.exit(1)
