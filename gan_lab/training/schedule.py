"""What is due at which step."""

import time
from dataclasses import dataclass, field
from typing import NamedTuple


class Due(NamedTuple):
    """What to do before the next step. ``time_based`` is a checkpoint that is due by the clock."""

    log: bool
    samples: bool
    metrics: bool
    diagnostics: bool
    checkpoint: bool
    time_based: bool

    @property
    def by_step(self) -> bool:
        """Whether the step alone makes something due, so that two runs have it in common."""
        return any(self[:-1])


@dataclass
class Schedule:
    """Intervals in steps; 0 means never, and the last step is due for everything that is on.

    ``checkpoint_minutes`` also makes a checkpoint due so many minutes after the last one.
    """

    steps: int
    log: int
    samples: int
    metrics: int
    diagnostics: int
    checkpoint: int
    checkpoint_minutes: float | None = None
    _last_checkpoint: float = field(default_factory=time.monotonic, repr=False)

    def due(self, step: int) -> Due:
        """What is due once ``step`` steps are done."""

        def is_due(every: int) -> bool:
            return every > 0 and (step % every == 0 or step == self.steps)

        limit = self.checkpoint_minutes
        minutes = (time.monotonic() - self._last_checkpoint) / 60
        return Due(
            log=is_due(self.log),
            samples=is_due(self.samples),
            metrics=is_due(self.metrics),
            diagnostics=is_due(self.diagnostics),
            checkpoint=is_due(self.checkpoint),
            time_based=limit is not None and minutes >= limit,
        )

    def checkpoint_saved(self) -> None:
        """Start the clock of ``checkpoint_minutes`` again."""
        self._last_checkpoint = time.monotonic()
