"""The training loop: Algorithm 1 of Goodfellow et al. (2014), for all seeds of a run."""

from collections.abc import Sequence
from typing import Protocol

from gan_lab.gan.steps import Scalars
from gan_lab.training.batches import Batches
from gan_lab.training.divergence import DivergenceGuard
from gan_lab.training.engines import Engine, TrainState
from gan_lab.training.schedule import Schedule


class Callback(Protocol):
    """What the loop calls between two steps. Callbacks must not modify training state."""

    def step(self, step: int) -> None: ...
    def log_scalars(self, step: int, seeds: Sequence[int], scalars: Scalars) -> None: ...
    def samples(self, step: int, engine: Engine) -> None: ...
    def metrics(self, step: int, engine: Engine) -> None: ...
    def diagnostics(self, step: int, engine: Engine) -> None: ...
    def diverged(self, step: int, last_finite: TrainState) -> None: ...
    def checkpoint(
        self, step: int, states: Sequence[TrainState], last_finite: Sequence[TrainState]
    ) -> None: ...
    def should_stop(self) -> bool: ...


def training_loop(
    engine: Engine | None,
    batches: Batches,
    schedule: Schedule,
    callback: Callback,
    first_step: int = 0,
    last_finite: Sequence[TrainState] = (),
) -> int:
    """Train from ``first_step`` until ``schedule.steps`` steps are done; return the number of steps done.

    The loop ends early, with a checkpoint, when the callback asks for it or when every seed has diverged;
    ``engine`` None means that they all had before. ``last_finite`` comes from the checkpoint that a run
    resumes from, see `DivergenceGuard`.
    """
    if engine is None:
        callback.checkpoint(first_step, [], [])
        return first_step
    guard = DivergenceGuard(engine, callback.diverged, last_finite)
    step = first_step
    while True:
        due = schedule.due(step)
        stop = step == schedule.steps or callback.should_stop()
        if stop or any(due):
            finite = guard.check(engine, step, by_step=due.by_step)
            if finite is None:
                callback.checkpoint(step, [], [])
                return step
            if finite is not engine:
                engine = finite
                batches.select(engine.seeds)
            advanced = step > first_step
            if due.log and advanced:
                callback.log_scalars(step, engine.seeds, guard.scalars)
            if due.samples and (advanced or step == 0):
                callback.samples(step, engine)
            if due.metrics and (advanced or step == 0):
                callback.metrics(step, engine)
            if due.diagnostics and (advanced or step == 0):
                callback.diagnostics(step, engine)
            # Also at a last step that was done before: what follows a checkpoint may be missing.
            if (advanced and (due.checkpoint or due.time_based)) or (stop and step > 0):
                callback.checkpoint(step, guard.states, guard.last_finite)
                schedule.checkpoint_saved()
        if stop:
            return step

        discriminator_batches, generator_batch = batches(step)
        for turn, batch in enumerate(discriminator_batches, step * len(discriminator_batches)):
            scalars = engine.discriminator_step(batch, turn)
        guard.record(scalars | engine.generator_step(generator_batch, step))
        step += 1
        callback.step(step)
