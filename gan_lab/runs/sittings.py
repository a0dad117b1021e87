"""The sittings of a run: one per process that has trained it, and what differs between them. No torch."""

import itertools
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass
class Sitting:
    """From one start of a run to its end, or to the last status that a killed process has written.

    device: name of the GPU, or the instructions of the CPU; threads: of PyTorch on the CPU; versions: of
    Python, gan-lab and torch; seconds: of training, metrics and diagnostics included; load: of the machine
    over its last minute, None where the system does not say.
    """

    device: str
    threads: int
    engine: str
    execution: str
    versions: dict[str, str] = field(default_factory=dict)
    from_step: int = 0
    to_step: int = 0
    seconds: float = 0.0
    load: float | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Return what the last bits of the numbers depend on, as texts."""
        hardware = {"device": self.device, "threads": str(self.threads)}
        return {**hardware, "engine": self.engine, "execution": self.execution, **self.versions}

    def update(self, step: int, seconds: float) -> None:
        """Record how far this sitting has come, and the load of the machine."""
        self.to_step, self.seconds = step, seconds
        with suppress(OSError, AttributeError):  # Windows has no load average
            self.load = round(os.getloadavg()[0], 2)


def environment_changes(sittings: Sequence[Sitting]) -> list[str]:
    """Say what the sittings that have trained a run differ in, such as "threads 1, then 2"; empty if nothing.

    A sitting that has done no step has left nothing in the weights.
    """
    trained = [sitting.environment for sitting in sittings if sitting.to_step > sitting.from_step]
    changes = []
    for name in dict.fromkeys(name for environment in trained for name in environment):
        values = [environment.get(name, "unknown") for environment in trained]
        distinct = [value for value, _ in itertools.groupby(values)]
        if len(distinct) > 1:
            changes.append(f"{name} {', then '.join(distinct)}")
    return changes


def resume_warning(before: Sequence[Sitting], now: Sitting) -> str:
    """Say that a resumed run changes its device, threads or versions; empty if it does not."""
    upcoming = Sitting(**{**vars(now), "to_step": now.from_step + 1})
    last = [sitting for sitting in before if sitting.to_step > sitting.from_step][-1:]
    changes = environment_changes([*last, upcoming])
    if not changes:
        return ""
    return (
        f"resumed in another environment ({'; '.join(changes)}): "
        "the last bits of its numbers may differ from those of a run that was never stopped"
    )
