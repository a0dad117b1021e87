"""The training loop: what is due at this step, the discriminator's turns, the generator's turn."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from gan_lab.gan.steps import Scalars
from gan_lab.training.batches import Batches
from gan_lab.training.engines import Engine, TrainState


class Due(NamedTuple):
    log: bool
    samples: bool
    metrics: bool
    diagnostics: bool
    checkpoint: bool
    late: bool  # a checkpoint too, but by the clock: the only one that two runs do not have in common


@dataclass(frozen=True)
class Schedule:
    """When something is due, in steps (0 is never); the last step is due for everything that is on."""

    steps: int
    log: int
    samples: int
    metrics: int
    diagnostics: int
    checkpoint: int
    checkpoint_minutes: float | None = None

    def at(self, step: int, minutes_since_checkpoint: float) -> Due:
        def due(every: int) -> bool:
            return every > 0 and (step % every == 0 or step == self.steps)

        limit = self.checkpoint_minutes
        late = limit is not None and minutes_since_checkpoint >= limit
        return Due(
            log=due(self.log),
            samples=due(self.samples),
            metrics=due(self.metrics),
            diagnostics=due(self.diagnostics),
            checkpoint=due(self.checkpoint),
            late=late,
        )


class Callback(Protocol):
    """Whom the loop tells. An observer reads; nothing that it does changes the run."""

    def step(self, step: int) -> None: ...
    def numbers(self, step: int, seeds: Sequence[int], numbers: Scalars) -> None: ...
    def samples(self, step: int, engine: Engine) -> None: ...
    def metrics(self, step: int, engine: Engine) -> None: ...
    def diagnostics(self, step: int, engine: Engine) -> None: ...
    def diverged(self, step: int, member: TrainState) -> None: ...
    def checkpoint(self, step: int, members: Sequence[TrainState], good: Sequence[TrainState]) -> None: ...
    def should_stop(self) -> bool: ...


def train(
    engine: Engine,
    batches: Batches,
    schedule: Schedule,
    observer: Callback,
    first: int = 0,
    good: Sequence[TrainState] = (),
) -> int:
    """Train from step ``first`` until ``schedule.steps`` are done; returns the number of steps done.

    It ends early, with a checkpoint, when the observer asks or when every seed has diverged.
    good: what is kept of a seed that diverges before the next step at which something is due; without it,
    what the engine holds now.
    """
    step, saved = first, time.monotonic()
    numbers: Scalars = {}
    losses: list[Tensor] = []
    members = engine.members()
    good = good or members
    while True:
        due = schedule.at(step, (time.monotonic() - saved) / 60)
        stop = step == schedule.steps or observer.should_stop()
        if losses and (stop or any(due)):
            # Only here does the processor wait for the device; until now everything was queued.
            current = engine.members()
            last_steps = range(step - len(losses) + 1, step + 1)
            broken = {index: last_steps[k] for index, k in first_non_finite(losses).items()}
            # Stops and the clock come at other steps in each run, and may not change what is kept, nor when.
            regular = any(due[:-1])
            if regular:
                for index, sound in enumerate(engine.finite()):
                    if not sound:  # the last update did it, and no loss has seen it yet
                        broken.setdefault(index, step)
            for index, when in broken.items():
                observer.diverged(when, good[index])
            healthy = [index for index in range(len(current)) if index not in broken]
            losses, members = [], [current[index] for index in healthy]
            good = members if regular else [good[index] for index in healthy]
            if not healthy:
                observer.checkpoint(step, [], [])
                return step
            if broken:
                engine = engine.keep(members)
                batches.keep(engine.seeds)
                numbers = {name: values[healthy] for name, values in numbers.items()}
        fresh = step > first
        if due.log and fresh:
            observer.numbers(step, engine.seeds, numbers)
        if due.samples and (fresh or step == 0):
            observer.samples(step, engine)
        if due.metrics and fresh:
            observer.metrics(step, engine)
        if due.diagnostics and (fresh or step == 0):
            observer.diagnostics(step, engine)
        # The last one also where nothing was left to do: what follows a checkpoint may be missing.
        if (fresh and (due.checkpoint or due.late)) or (stop and step > 0):
            observer.checkpoint(step, members, good)
            saved = time.monotonic()
        if stop:
            return step

        discriminator_batches, generator_batch = batches(step)
        for batch in discriminator_batches:
            numbers = engine.discriminator_step(batch)
        numbers = numbers | engine.generator_step(generator_batch)
        # Not finite as soon as one of its parts is not.
        parts = [value for name, value in numbers.items() if name.startswith("loss/")]
        losses.append(torch.stack(parts).sum(dim=0))
        step += 1
        observer.step(step)


def first_non_finite(losses: Sequence[Tensor]) -> dict[int, int]:
    """[(S,), ...] -> index of each seed with a loss that is not finite: position of its first one."""
    bad = ~torch.stack(list(losses)).isfinite()
    found = bad.any(dim=0).tolist()
    where = bad.int().argmax(dim=0).tolist()
    return {k: where[k] for k, is_bad in enumerate(found) if is_bad}
