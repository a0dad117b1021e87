"""Time a run by training its first steps: a step apart from what is due every so many steps."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from gan_lab.gan.steps import Scalars
from gan_lab.runs.checkpoint_files import CHECKPOINTS
from gan_lab.training.engines import Engine, TrainState
from gan_lab.training.forecast import Timing
from gan_lab.training.recorder import Recorder
from gan_lab.training.run import schedule_of
from gan_lab.training.run_training import run_training
from gan_lab.training.schedule import Due, Schedule
from gan_lab.utils.devices import select_device

WARM_STEPS = 5  # before a step is timed: kernels are chosen, optimizers make their state, graphs are captured
WARM_SECONDS = 3.0  # ... or fewer, if these take so long
FEWEST_STEPS, MOST_STEPS = 3, 400  # that are timed
LONG_SECONDS = 1.0  # what takes longer the first time is not done again: its beginning counts for little


def time_run(cfg: DictConfig, folder: Path, choices: Mapping[str, Any], seconds: float) -> Timing:
    """Train the first steps of ``cfg`` in ``folder`` for about so many seconds; return what took how long.

    Beside these, what is due at step 0 and at the last step is done once. Raises what the run would raise.
    """
    begun = time.monotonic()
    schedule = schedule_of(cfg)
    timed = TimedSchedule(**{key: value for key, value in vars(schedule).items() if key[0] != "_"})
    timed.checkpoint_minutes = None

    def callback(recorder: Recorder) -> TimedCallback:
        timed.callback = TimedCallback(recorder, select_device(cfg.device), seconds)
        return timed.callback

    run_training(cfg, folder, choices, schedule=timed, callback=callback)
    return timed.callback.timing(begun, folder)


class TimedCallback:
    """Hands everything on to a recorder, and keeps how long it took and what it wrote."""

    def __init__(self, recorder: Recorder, device: torch.device, seconds: float) -> None:
        self._recorder, self._device, self._seconds = recorder, device, seconds
        self._begun = time.monotonic()
        self._in_calls = 0.0
        self._step = 0
        self._warm: tuple[int, float] | None = None  # the step from which on steps are timed, and the time
        self._last = (0, 0.0)
        self._calls: dict[str, list[tuple[float, int]]] = {}  # kind -> seconds and bytes of each call

    def enough(self) -> bool:
        """Return whether enough steps are timed."""
        if self._warm is None:
            return False
        steps, seconds = self._step - self._warm[0], self._training_seconds() - self._warm[1]
        return steps >= MOST_STEPS or (steps >= FEWEST_STEPS and seconds >= self._seconds)

    def was_long(self, kind: str) -> bool:
        return any(seconds > LONG_SECONDS for seconds, _ in self._calls.get(kind, []))

    def timing(self, begun: float, folder: Path) -> Timing:
        """Return what was measured; ``begun``: when the run's setup began."""
        step, at = self._warm if self._warm is not None and self._warm[0] < self._last[0] else (0, 0.0)
        seconds = {kind: [s for s, _ in calls] for kind, calls in self._calls.items()}
        written = {kind: [float(n) for _, n in calls] for kind, calls in self._calls.items()}
        ended = self._begun + self._last[1] + self._in_calls
        checkpoints = bytes_in(folder / CHECKPOINTS)
        own = sum(sum(n) for kind, n in written.items() if kind != "checkpoint")
        first = [kind for kind in ("samples", "metrics", "diagnostics") if kind in seconds]
        return Timing(
            device=self._recorder.status.device,
            steps=self._last[0] - step,
            setup=self._begun - begun,
            step=(self._last[1] - at) / max(self._last[0] - step, 1),
            first={kind: seconds[kind][0] for kind in first},
            each={kind: values[-1] for kind, values in seconds.items()},
            finish=max(time.monotonic() - ended, 0.0),
            bytes_once=bytes_in(folder) - checkpoints - own,
            bytes_each={kind: values[-1] for kind, values in written.items()} | {"checkpoint": checkpoints},
        )

    def step(self, step: int) -> None:
        self._recorder.step(step)
        self._step = step
        if self._warm is None and (step >= WARM_STEPS or self._training_seconds() > WARM_SECONDS):
            self._wait()
            self._warm = step, self._training_seconds()

    def log_scalars(self, step: int, seeds: Sequence[int], scalars: Scalars) -> None:
        with self._timed("log"):
            self._recorder.log_scalars(step, seeds, scalars)

    def samples(self, step: int, engine: Engine) -> None:
        with self._timed("samples"):
            self._recorder.samples(step, engine)

    def metrics(self, step: int, engine: Engine) -> None:
        with self._timed("metrics"):
            self._recorder.metrics(step, engine)

    def diagnostics(self, step: int, engine: Engine) -> None:
        with self._timed("diagnostics"):
            self._recorder.diagnostics(step, engine)

    def checkpoint(self, step: int, states: Sequence[TrainState], last_finite: Sequence[TrainState]) -> None:
        with self._timed("checkpoint"):
            self._recorder.checkpoint(step, states, last_finite)

    def diverged(self, step: int, last_finite: TrainState) -> None:
        self._recorder.diverged(step, last_finite)

    def should_stop(self) -> bool:
        return self._recorder.should_stop()

    def _training_seconds(self) -> float:
        """Return the seconds since the loop began, without those of the calls that are timed."""
        return time.monotonic() - self._begun - self._in_calls

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        self._wait()
        self._last = self._step, self._training_seconds()
        before, begun = bytes_in(self._recorder.folder), time.monotonic()
        yield
        self._wait()
        seconds = time.monotonic() - begun
        for log in self._recorder.logs.values():
            log.flush()
        written = bytes_in(self._recorder.folder) - before
        self._calls.setdefault(kind, []).append((seconds, written))
        # Looking at the folder is no part of a run either.
        self._in_calls = time.monotonic() - self._begun - self._last[1]

    def _wait(self) -> None:
        """Wait for what was launched on a GPU: it belongs to what came before."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        elif self._device.type == "mps":
            torch.mps.synchronize()


class TimedSchedule(Schedule):
    """A schedule by which a run ends as soon as ``callback`` has timed enough of its steps."""

    callback: TimedCallback

    def due(self, step: int) -> Due:
        if step == 0:
            return super().due(step)
        if step < self.steps:
            if not self.callback.enough():
                nothing = Due(False, False, False, False, False, False)
                return nothing._replace(log=step % self.log == 0)
            self.steps = step
        kinds = ("samples", "metrics", "diagnostics")
        return super().due(step)._replace(**{kind: False for kind in kinds if self._is_known(kind)})

    def _is_known(self, kind: str) -> bool:
        return getattr(self, kind) == 0 or self.callback.was_long(kind)


def bytes_in(folder: Path) -> int:
    """Return how many bytes the files in a folder hold."""
    return sum(Path(parent, name).stat().st_size for parent, _, names in os.walk(folder) for name in names)
