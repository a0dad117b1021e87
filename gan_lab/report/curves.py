"""The curves of the seeds of a study, kept up to date while runs train: what has been read is not read again.

However long a run is, what is kept of it is small. Imports no torch.
"""

import math
from array import array
from collections.abc import Collection
from pathlib import Path

from gan_lab.runs.run import Seed
from gan_lab.runs.stats import StatsReader
from gan_lab.runs.tags import is_of_layer

MOST_POINTS = 1_000  # of a curve, as many as TensorBoard shows unless it is told otherwise


class ThinnedCurve:
    """Keeps every so many-th point of a curve, and the last: the same ones of curves with the same steps."""

    def __init__(self) -> None:
        self._steps, self._values = array("q"), array("d")
        self._number, self._stride = 0, 1
        self._last: tuple[int, float] | None = None

    def add(self, step: int, value: float) -> None:
        if self._number % self._stride == 0:
            self._steps.append(step)
            self._values.append(value)
            if len(self._steps) > MOST_POINTS:
                self._stride *= 2
                self._steps, self._values = self._steps[::2], self._values[::2]
        self._number += 1
        self._last = step, value

    def points(self) -> dict[int, float]:
        """Return step -> value, NaN where it is not finite."""
        points = dict(zip(self._steps, self._values, strict=True))
        if self._last is not None:
            points[self._last[0]] = self._last[1]
        return points


class StudyCurves:
    """The scalars of seeds by name, without those of single layers."""

    def __init__(self) -> None:
        self._seeds: dict[Path, _SeedCurves] = {}

    def read(self, seed: Seed) -> dict[str, ThinnedCurve]:
        """Read what is new of a seed; return its curves by name. Raises GanLabError for a corrupt file."""
        known = self._seeds.get(seed.folder)
        if known is None or known.measured_from != seed.measured_from:
            known = self._seeds[seed.folder] = _SeedCurves(seed.folder, seed.measured_from)
        return known.read()

    def keep(self, folders: Collection[Path]) -> None:
        """Forget the seeds whose folders are not among these."""
        self._seeds = {folder: curves for folder, curves in self._seeds.items() if folder in folders}


class _SeedCurves:
    def __init__(self, folder: Path, measured_from: int) -> None:
        self.measured_from = measured_from
        self._reader = StatsReader(folder, measured_from)
        self._curves: dict[str, ThinnedCurve] = {}

    def read(self) -> dict[str, ThinnedCurve]:
        for line in self._reader.new_lines(on_restart=self._curves.clear):
            for name, value in line.items():
                if name != "step" and not is_of_layer(name):
                    curve = self._curves.setdefault(name, ThinnedCurve())
                    curve.add(line["step"], math.nan if value is None else value)
        return self._curves
