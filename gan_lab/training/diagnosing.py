"""Diagnostics of all seeds of an engine: stacked seeds in one set of launches, whatever their number."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor

from gan_lab.evaluation.diagnostics import Diagnostic, Probe, TensorDiagnostic
from gan_lab.evaluation.diagnostics.records import read_scalars
from gan_lab.evaluation.diagnostics.stacked import probe_stacked
from gan_lab.training.engines import Engine
from gan_lab.training.engines.base import SeedGroup
from gan_lab.utils.errors import summarize_exception
from gan_lab.utils.seeding import seeded

_log = logging.getLogger(__name__)

Scalars = dict[str, float]
# What is observed -> a context in which a failure costs this observation only.
Observing = Callable[[str], AbstractContextManager[None]]


class _Seed(NamedTuple):
    """One seed of an engine: the group that it is in, and where there."""

    group: SeedGroup
    row: int


class Diagnoser:
    """Applies diagnostics to the networks of every seed.

    Stacked seeds are probed as one, and each `TensorDiagnostic` is computed and read for all of them
    together. So are several seeds that are trained one by one, on a device that each of them would wait for.
    Where `torch.func.vmap` cannot do that, and for any other diagnostic, each seed is probed by itself, with
    the same numbers to rounding.

    max_concurrent_seeds: how many seeds are probed at once, None for all of a group.
    """

    def __init__(
        self, probe: Probe, diagnostics: Mapping[str, Diagnostic], max_concurrent_seeds: int | None = None
    ) -> None:
        self.probe, self.diagnostics, self.max_concurrent_seeds = probe, diagnostics, max_concurrent_seeds
        self._one_by_one: set[str] = set()  # what could not be computed for stacked seeds

    def __call__(self, engine: Engine, observing: Observing) -> list[tuple[int, Scalars]]:
        """Return (seed, scalars of one diagnostic), seed after seed."""
        found: list[tuple[int, Scalars]] = []
        for part in self._parts(engine):
            waits = engine.config.device.type != "cpu" and len(part) > 1
            at_once = self._stacked(part) if part[0].group.stacked or waits else {}
            for k, (group, row) in enumerate(part):
                computed = {name: rows[k] for name, rows in at_once.items()}
                found += [(group.seeds[row], one) for one in self._of_one(group, row, computed, observing)]
        return found

    def _parts(self, engine: Engine) -> list[list[_Seed]]:
        """Split the seeds into those that are probed at once: never stacked ones of two groups."""
        parts = []
        together = [[group] for group in engine.groups] if engine.groups[0].stacked else [engine.groups]
        for groups in together:
            seeds = [_Seed(group, row) for group in groups for row in range(len(group.seeds))]
            size = self.max_concurrent_seeds or len(seeds)
            parts += [seeds[start : start + size] for start in range(0, len(seeds), size)]
        return parts

    def _of_one(
        self, group: SeedGroup, index: int, computed: Mapping[str, Scalars], observing: Observing
    ) -> list[Scalars]:
        seed, found = group.seeds[index], list[Scalars]()
        with seeded(seed, "diagnostics", device=group.config.device), observing("diagnostics"):
            result = (
                None if computed.keys() == self.diagnostics.keys() else self.probe.run(group.state(index))
            )
            for name, diagnostic in self.diagnostics.items():
                with observing(f"diagnostic {name}"):
                    if name in computed:
                        found.append(_checked(computed[name]))
                    else:
                        assert result is not None
                        found.append(_checked(diagnostic(result)))
        return found

    def _stacked(self, part: Sequence[_Seed]) -> dict[str, list[Scalars]]:
        """Compute what can be computed for stacked seeds: {name: scalars of each seed}."""
        names = [
            name
            for name, diagnostic in self.diagnostics.items()
            if isinstance(diagnostic, TensorDiagnostic) and not self._one_by_one & {name, "networks"}
        ]
        if not names:
            return {}
        computed = {}
        try:
            result = probe_stacked(self.probe, *_networks(part))
        except Exception as error:
            self._leave("networks", error)
            return {}
        for name in names:
            diagnostic = self.diagnostics[name]
            assert isinstance(diagnostic, TensorDiagnostic)
            try:
                computed[name] = result.scalars(diagnostic.tensors)
            except Exception as error:
                self._leave(name, error)
        rows = read_scalars({(name, tag): v for name, tags in computed.items() for tag, v in tags.items()})
        return {
            name: [{tag: row[name, tag] for tag in tags} for row in rows] for name, tags in computed.items()
        }

    def _leave(self, what: str, error: Exception) -> None:
        self._one_by_one.add(what)
        reason = summarize_exception(error)
        _log.info("diagnostics of %s are computed seed after seed: %s", what, reason)


def _networks(part: Sequence[_Seed]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return parameters and buffers of seeds, stacked; those that are so already are not copied."""
    group = part[0].group
    if group.stacked:
        taken = slice(part[0].row, part[-1].row + 1)
        params, buffers = (
            {name: tensor[taken] for name, tensor in tensors.items()}
            for tensors in (group.params, group.buffers)
        )
        return params, buffers
    params, buffers = (
        {name: torch.stack([one[name].detach() for one in of_seeds]) for name in of_seeds[0]}
        for of_seeds in ([one.group.params for one in part], [one.group.buffers for one in part])
    )
    return params, buffers


def _checked(scalars: Mapping[str, float]) -> Scalars:
    """Return a diagnostic's scalars as floats; raise `ValueError` for a tag that belongs to others."""
    foreign = [tag for tag in scalars if not tag.startswith("diagnostics/")]
    if foreign:
        raise ValueError(f"its tags must begin with diagnostics/, got {foreign[0]}")
    return {tag: float(value) for tag, value in scalars.items()}
