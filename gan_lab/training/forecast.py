"""From the first steps of a run to the time and the disk space of a study. Imports no torch."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import median
from typing import Any

KINDS = ("log", "samples", "metrics", "diagnostics", "checkpoint")
_AT_STEP_0 = ("samples", "metrics", "diagnostics")


@dataclass(frozen=True)
class Timing:
    """What a run takes, in seconds, and writes, in bytes.

    device: in words; steps: that were timed. setup: before its first step; step: of each; first: kind -> at
    step 0; each: kind -> every time it is due after that; finish: after its last step. bytes_once: whatever
    its steps; bytes_each: kind -> every time, of "checkpoint" one of those that are kept.
    """

    device: str
    steps: int
    setup: float
    step: float
    first: dict[str, float]
    each: dict[str, float]
    finish: float
    bytes_once: float
    bytes_each: dict[str, float]

    def seconds(self, cfg: Mapping[str, Any], first_step: int = 0) -> float:
        """Compute how long a run of a plain configuration takes from ``first_step`` on."""
        counts = times_due(cfg, first_step)
        parts = [self.setup, self.finish, self.step * (cfg["steps"] - first_step)]
        parts += [self.first.get(kind, 0.0) for kind in _AT_STEP_0 if first_step == 0]
        parts += [count * self.each.get(kind, 0.0) for kind, count in counts.items()]
        total: float = sum(parts)
        minutes = cfg["checkpoint"]["minutes"]
        if minutes is None:
            return total
        by_time = int(total / (60 * minutes)) - counts["checkpoint"]
        return total + max(by_time, 0) * self.each.get("checkpoint", 0.0)

    def bytes(self, cfg: Mapping[str, Any]) -> float:
        """Compute how many bytes a whole run leaves."""
        counts = times_due(cfg, 0)
        counts = {kind: count + (kind in _AT_STEP_0 and count > 0) for kind, count in counts.items()}
        counts["checkpoint"] = min(cfg["checkpoint"]["keep"], counts["checkpoint"])
        written = (count * self.bytes_each.get(kind, 0.0) for kind, count in counts.items())
        return self.bytes_once + sum(written)


def times_due(cfg: Mapping[str, Any], first_step: int) -> dict[str, int]:
    """Count how often each kind is due after ``first_step``, by the steps alone."""
    last = int(cfg["steps"])

    def count(every: int) -> int:
        if every <= 0 or last <= first_step:
            return 0
        return last // every - first_step // every + (last % every > 0)

    counts = {kind: count(cfg[kind]["every"]) for kind in KINDS}
    return counts | {"checkpoint": max(counts["checkpoint"], int(last > first_step))}


def as_elsewhere(timing: Timing, pairs: Sequence[tuple[Timing, Timing]]) -> Timing:
    """Guess a timing under other circumstances, by the ``pairs`` of which both were measured: here, there.

    Each number changes as its median over the pairs does; circumstances are other processes beside it, or
    another number of seeds.
    """
    changed: dict[str, Any] = {}
    for field in fields(timing):
        value = getattr(timing, field.name)
        ours, theirs = ([getattr(one, field.name) for one in column] for column in zip(*pairs, strict=True))
        if isinstance(value, dict):
            changed[field.name] = {
                kind: number * _ratio([(o.get(kind), t.get(kind)) for o, t in zip(ours, theirs, strict=True)])
                for kind, number in value.items()
            }
        elif isinstance(value, float):
            changed[field.name] = value * _ratio(list(zip(ours, theirs, strict=True)))
        else:
            changed[field.name] = theirs[0]
    return Timing(**changed)


def side_by_side(timings: Sequence[Timing]) -> Timing:
    """Average the timings of one run in several processes at once."""

    def averaged(values: Sequence[Any]) -> Any:
        if isinstance(values[0], dict):
            return {kind: sum(one[kind] for one in values) / len(values) for kind in values[0]}
        return sum(values) / len(values) if isinstance(values[0], float) else values[0]

    names = [field.name for field in fields(Timing)]
    return Timing(**{name: averaged([getattr(one, name) for one in timings]) for name in names})


def makespan(runs: Sequence[float], at_once: int, start: float = 0.0) -> float:
    """Compute when the last of the runs ends, if each begins as soon as one of ``at_once`` processes is free.

    runs: seconds of each, in the order in which they begin; start: seconds that each process takes to start.
    """
    ends = [start] * max(min(at_once, len(runs)), 1)
    heapq.heapify(ends)
    for seconds in runs:
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends) if runs else 0.0


def race_seconds(
    rounds: Sequence[Sequence[Any]],
    wall: Callable[[Sequence[Any]], float],
    training: Callable[[Any], float],
    spent: float = 0.0,
    hours: float | None = None,
) -> tuple[float, float]:
    """Compute how long a race takes at least, and at most.

    At least the next round, in which all but one drop out; at most all ``rounds`` to come, if nobody else
    does, or as many as begin before ``hours`` of training are over, of which ``spent`` seconds are.
    """
    least = most = 0.0
    for number, runs in enumerate(rounds):
        if hours is not None and spent >= 3600 * hours:
            break
        most += wall(runs)
        least = most if number == 0 else least
        spent += sum(map(training, runs))
    return least, most


def _ratio(pairs: Sequence[tuple[float | None, float | None]]) -> float:
    ratios = [there / here for here, there in pairs if here and there is not None]
    return median(ratios) if ratios else 1.0
