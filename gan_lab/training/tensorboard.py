"""Log a run while it trains, in one folder per seed: TensorBoard events, ``stats.jsonl`` and sample grids.

Tags never change their meaning: those of scalars (`gan_lab.runs.tags`), ``samples``, ``real``, ``weights/*``,
``gradients/*``, ``configuration``. What a study shows of all its seeds is `gan_lab.report.tensorboard`.
"""

import math
import os
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from gan_lab.runs.samples import has_real, write_real, write_samples
from gan_lab.runs.stats import StatsWriter
from gan_lab.runs.tags import is_of_layer, tag_of
from gan_lab.training.event_writer import EVENTS, EventWriter
from gan_lab.training.loggers import SeedLoggers
from gan_lab.utils.images import encode_png


class SeedLog:
    """The log of one seed.

    Opened at a step, it drops whatever was written after that step. At step 0 it drops everything: a run
    without a checkpoint starts again. primary: the score that TensorBoard shows first; layers: whether it
    shows the diagnostics of single layers.
    """

    def __init__(
        self,
        folder: Path,
        step: int,
        *,
        primary: str | None = None,
        layers: bool | None = None,
        loggers: SeedLoggers | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.primary, self.layers = folder, primary, layers
        self.loggers = loggers or SeedLoggers({}, folder)
        self._stats = StatsWriter(folder, step or -1)
        self._line: dict[str, float | None] = {}
        _make_older(folder)
        self._events = EventWriter(folder, purge_step=step + 1 if step else 0)

    def log_scalars(self, step: int, numbers: Mapping[str, float | None], at: float | None = None) -> None:
        """Add a point per tag to TensorBoard and to the step's line of ``stats.jsonl`` (null if not finite).

        All scalars of a step share one line, which `flush` writes. at: the time in TensorBoard, None for now.
        """
        self._line |= {"step": step}
        for name, value in numbers.items():
            self._line[name] = value if value is not None and math.isfinite(value) else None
            if self.layers or not is_of_layer(name):
                tag = tag_of(name, self.primary)
                self._events.add_scalar(tag, math.nan if value is None else value, step, at)

    def flush(self) -> None:
        if self._line:
            self._stats.write(self._line)
            self.loggers.log_scalars(int(self._line["step"] or 0), self._line)
            self._events.flush()
            self._line = {}

    def fsync(self) -> None:
        """Write everything to the disk: a checkpoint must never survive what was logged before it."""
        self.flush()
        self._stats.sync()
        self._events.flush()
        for path in self.folder.glob(f"{EVENTS}*"):
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def log_speed(self, step: int, steps_per_second: float, at: float | None = None) -> None:
        """Log the speed in TensorBoard only: ``stats.jsonl`` holds what is the same on every machine."""
        self._events.add_scalar(tag_of("speed/steps_per_second", None), steps_per_second, step, at)

    def log_samples(self, step: int, grid: Tensor, at: float | None = None) -> None:
        """Save a grid, (3, H, W) uint8, as ``samples/step_<n>.png`` and in TensorBoard."""
        write_samples(self.folder, step, encode_png(grid))
        self._events.add_image("samples", grid, step, at)
        self.loggers.log_image(step, "samples", grid)

    @property
    def has_real(self) -> bool:
        return has_real(self.folder)

    def log_real(self, step: int, grid: Tensor) -> None:
        """Save a grid of training data, (3, H, W) uint8, as ``samples/real.png`` and in TensorBoard."""
        write_real(self.folder, encode_png(grid))
        self._events.add_image("real", grid, step)
        self.loggers.log_image(step, "real", grid)

    def log_histograms(self, step: int, weights: Mapping[str, tuple[Tensor, Tensor | None]]) -> None:
        for name, (weight, gradient) in weights.items():
            tag = name.replace(".", "/")
            self._events.add_histogram(f"weights/{tag}", weight.float(), step)
            if gradient is not None and gradient.isfinite().all():
                self._events.add_histogram(f"gradients/{tag}", gradient.float(), step)

    def log_configuration(self, configuration: str) -> None:
        """Log the resolved configuration as text."""
        self._events.add_text("configuration", f"```yaml\n{configuration}\n```", 0)

    def close(self) -> None:
        self.flush()
        self._stats.close()
        self._events.close()


def rows(numbers: Mapping[str, Tensor]) -> list[dict[str, float]]:
    """Turn {tag: (S,)} into one dictionary per seed, in one copy from the device."""
    table = torch.stack([n.float() for n in numbers.values()], dim=1).tolist()
    return [dict(zip(numbers, row, strict=True)) for row in table]


def _make_older(folder: Path) -> None:
    """Rename the event files of earlier sittings so that a new one sorts after them.

    TensorBoard reads the files of a folder in the order of their names, which begin with the second at which
    they were made. Where the clock has gone backwards, new events would be read before old ones.
    """
    files = sorted(folder.glob(f"{EVENTS}*"))
    stamps = [(path, *path.name.removeprefix(EVENTS).partition(".")[::2]) for path in files]
    second = int(time.time())
    seconds = [int(stamp) for _, stamp, _ in stamps if stamp.isdigit()]
    if max(seconds, default=0) >= second:
        # Earlier than all of them: no rename meets another file, and an interrupted one keeps the order.
        first = min(second, *seconds) - len(stamps)
        for offset, (path, _, rest) in enumerate(stamps):
            path.rename(folder / f"{EVENTS}{max(first, 0) + offset:010d}.{rest}")
