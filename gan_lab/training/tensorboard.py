"""Log a run while it trains, in one folder per seed: TensorBoard events, ``stats.jsonl`` and sample grids.

Tags never change their meaning: ``loss/*``, ``logits/*``, ``probability/*`` (D(x) and D(G(z))),
``accuracy/*``, ``metrics/*``, ``diagnostics/*``, ``speed/*``, ``samples``, ``real``, ``weights/*``,
``gradients/*``, ``learning_rate/*``, ``configuration``.
"""

import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.api_pb2 import Status as SessionStatus
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG, create_summary_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from gan_lab.runs.samples import has_real, write_real, write_samples
from gan_lab.runs.stats import StatsWriter
from gan_lab.utils.images import encode_png

_EVENTS = "events.out.tfevents."
# Numbers of the HPARAMS tab: those that every run has.
HEADLINES = ("loss/discriminator", "loss/generator", "accuracy/discriminator")


class SeedLog:
    """The log of one seed.

    Opened at a step, it drops whatever was written after that step. At step 0 it drops everything: a run
    without a checkpoint starts again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._stats = StatsWriter(folder, step or -1)
        self._line: dict[str, float | None] = {}
        _make_older(folder)
        self._events = SummaryWriter(str(folder), purge_step=step + 1 if step else 0)

    def log_scalars(self, step: int, numbers: Mapping[str, float | None]) -> None:
        """Add a point per tag to TensorBoard and to the step's line of ``stats.jsonl`` (null if not finite).

        All scalars of a step share one line, which `flush` writes.
        """
        self._line |= {"step": step}
        for name, value in numbers.items():
            self._line[name] = value if value is not None and math.isfinite(value) else None
            self._events.add_scalar(name, math.nan if value is None else value, step)

    def flush(self) -> None:
        if self._line:
            self._stats.write(self._line)
            self._line = {}

    def fsync(self) -> None:
        """Write everything to the disk: a checkpoint must never survive what was logged before it."""
        self.flush()
        self._stats.sync()
        self._events.flush()
        for path in self.folder.glob(f"{_EVENTS}*"):
            with path.open("rb") as file:
                os.fsync(file.fileno())

    def log_speed(self, step: int, steps_per_second: float) -> None:
        """Log the speed in TensorBoard only: ``stats.jsonl`` holds what is the same on every machine."""
        self._events.add_scalar("speed/steps_per_second", steps_per_second, step)

    def log_samples(self, step: int, grid: Tensor) -> None:
        """Save a grid, (3, H, W) uint8, as ``samples/step_<n>.png`` and in TensorBoard."""
        write_samples(self.folder, step, encode_png(grid))
        self._events.add_image("samples", grid, step)

    @property
    def has_real(self) -> bool:
        return has_real(self.folder)

    def log_real(self, step: int, grid: Tensor) -> None:
        """Save a grid of training data, (3, H, W) uint8, as ``samples/real.png`` and in TensorBoard."""
        write_real(self.folder, encode_png(grid))
        self._events.add_image("real", grid, step)

    def log_histograms(self, step: int, weights: Mapping[str, tuple[Tensor, Tensor | None]]) -> None:
        for name, (weight, gradient) in weights.items():
            tag = name.replace(".", "/")
            self._events.add_histogram(f"weights/{tag}", weight.float(), step)
            if gradient is not None and gradient.isfinite().all():
                self._events.add_histogram(f"gradients/{tag}", gradient.float(), step)

    def log_configuration(
        self, configuration: str, hyperparameters: Mapping[str, Any], scores: Sequence[str] = ()
    ) -> None:
        """Log the resolved configuration as text, and this seed's row of the HPARAMS tab."""
        self._events.add_text("configuration", f"```yaml\n{configuration}\n```", 0)
        columns = dict.fromkeys([*scores, *HEADLINES], 0.0)
        experiment, session, _ = hparams(dict(hyperparameters), columns)  # type: ignore[no-untyped-call]
        self._summary(experiment)
        self._summary(session)

    def log_end(self, *, successful: bool) -> None:
        status = SessionStatus.STATUS_SUCCESS if successful else SessionStatus.STATUS_FAILURE
        content = HParamsPluginData(session_end_info=SessionEndInfo(status=status))
        metadata = create_summary_metadata(hparams_plugin_data_pb=content)
        self._summary(Summary(value=[Summary.Value(tag=SESSION_END_INFO_TAG, metadata=metadata)]))

    def _summary(self, summary: Any) -> None:
        # Through the writer's file: `add_hparams` would open a run of its own beside this one.
        self._events._get_file_writer().add_summary(summary)  # type: ignore[no-untyped-call]

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
    files = sorted(folder.glob(f"{_EVENTS}*"))
    stamps = [(path, *path.name.removeprefix(_EVENTS).partition(".")[::2]) for path in files]
    second = int(time.time())
    seconds = [int(stamp) for _, stamp, _ in stamps if stamp.isdigit()]
    if max(seconds, default=0) >= second:
        # Earlier than all of them: no rename meets another file, and an interrupted one keeps the order.
        first = min(second, *seconds) - len(stamps)
        for offset, (path, _, rest) in enumerate(stamps):
            path.rename(folder / f"{_EVENTS}{max(first, 0) + offset:010d}.{rest}")
