"""Timing of two or more calls against each other: interleaved, warmed up, medians and their spread."""

import multiprocessing
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True)
class Timing:
    """Seconds per call: median over rounds, smallest and largest."""

    median: float
    low: float
    high: float


def interleaved(
    calls: Mapping[str, Callable[[int], object]], *, steps: int, rounds: int, device: torch.device
) -> dict[str, Timing]:
    """Time ``steps`` steps of each call in every round, in turn: other load on the machine hits all alike."""
    for call in calls.values():  # once to warm up
        call(steps)
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            seconds[name].append(seconds_of(call, steps, device))
    return {name: Timing(statistics.median(s), min(s), max(s)) for name, s in seconds.items()}


class Apart:
    """Steps that are taken in a process of their own, which sleeps while others are timed.

    variables: of its environment.
    """

    def __init__(
        self, variables: Mapping[str, str], make: Callable[..., Callable[[int], object]], *arguments: object
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, spawn, _make_steps, (make, arguments))
        before = dict(os.environ)
        os.environ.update(variables)
        try:
            self(0)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def __call__(self, steps: int) -> None:
        self._pool.submit(_take_steps, steps).result()

    def close(self) -> None:
        self._pool.shutdown()


def _make_steps(make: Callable[..., Callable[[int], object]], arguments: tuple[object, ...]) -> None:
    global _STEPS
    _STEPS = make(*arguments)


def _take_steps(steps: int) -> None:
    _STEPS(steps)


_STEPS: Callable[[int], object]


def seconds_of(call: Callable[[int], object], steps: int, device: torch.device) -> float:
    """Seconds of so many steps, including all that they have queued on the device."""
    _synchronize(device)
    start = time.perf_counter()
    call(steps)
    _synchronize(device)
    return time.perf_counter() - start


def peak_memory(call: Callable[..., object], *arguments: object) -> int:
    """Peak resident bytes of a fresh process that makes only this call."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak_after, call, arguments).result()


def _peak_after(call: Callable[..., object], arguments: tuple[object, ...]) -> int:
    call(*arguments)
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts what the parent held into ru_maxrss
        (peak,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
