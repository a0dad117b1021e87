"""Seeds that diverge leave the run with their last finite weights; the others train on."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gan_lab.gan.steps import Scalars
from gan_lab.training.engines import Engine, TrainState

OnDivergence = Callable[[int, TrainState], None]


class DivergenceGuard:
    """Watch the losses and weights of all seeds.

    Losses stay on the device until `check`, the only place where the processor waits for it.

    states: all seeds in training, as of the last `check`; last_finite: what is kept of a seed that diverges
    before the next check whose step makes something due. Checks by the clock or by a signal come at other
    steps in each run, so they change neither what is kept nor when a diverging update is noticed.
    """

    def __init__(
        self, engine: Engine, on_divergence: OnDivergence, last_finite: Sequence[TrainState] = ()
    ) -> None:
        self.on_divergence = on_divergence
        self.states = engine.states()
        self.last_finite: Sequence[TrainState] = last_finite or self.states
        self.scalars: Scalars = {}
        self._losses: list[Tensor] = []

    def record(self, scalars: Scalars) -> None:
        """Remember the scalars (S,) of one step; their sum is finite only if all losses are."""
        self.scalars = scalars
        losses = [value for name, value in scalars.items() if name.startswith("loss/")]
        self._losses.append(torch.stack(losses).sum(dim=0))

    def check(self, engine: Engine, step: int, *, by_step: bool) -> Engine | None:
        """Return an engine that holds the finite seeds only, ``engine`` itself if all are, None if none is.

        Calls ``on_divergence(step, last finite state)`` for each seed that has diverged.
        """
        if not self._losses:
            return engine
        states = engine.states()
        steps = range(step - len(self._losses) + 1, step + 1)
        diverged = {index: steps[k] for index, k in first_non_finite(self._losses).items()}
        if by_step:
            for index, is_finite in enumerate(engine.all_finite()):
                if not is_finite:  # the last update did it, and no loss has seen it yet
                    diverged.setdefault(index, step)
        for index, at in diverged.items():
            self.on_divergence(at, self.last_finite[index])
        finite = [index for index in range(len(states)) if index not in diverged]
        self.states = [states[index] for index in finite]
        self.last_finite = self.states if by_step else [self.last_finite[index] for index in finite]
        self._losses = []
        if not diverged:
            return engine
        self.scalars = {name: values[finite] for name, values in self.scalars.items()}
        return engine.select(self.states) if finite else None


def first_non_finite(losses: Sequence[Tensor]) -> dict[int, int]:
    """Map the index of each seed that has a non-finite loss to the position of its first one.

    losses: one tensor (S,) per step.
    """
    non_finite = ~torch.stack(list(losses)).isfinite()
    has_one = non_finite.any(dim=0).tolist()
    first = non_finite.int().argmax(dim=0).tolist()
    return {index: first[index] for index, is_bad in enumerate(has_one) if is_bad}
