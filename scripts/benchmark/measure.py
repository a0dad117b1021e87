"""Timing of two or more things against each other: interleaved, warmed up, medians and their spread."""

import multiprocessing
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
class Timed:
    """Seconds a call: median over rounds, and the smallest and largest."""

    median: float
    low: float
    high: float


def interleaved(
    work: Mapping[str, Callable[[int], object]], *, steps: int, rounds: int, device: torch.device
) -> dict[str, Timed]:
    """``steps`` of each thing in every round, in turn: what the machine does meanwhile hits all alike."""
    for call in work.values():  # once to warm up
        call(steps)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, call in work.items():
            seconds[name].append(once(call, steps, device))
    return {name: Timed(statistics.median(s), min(s), max(s)) for name, s in seconds.items()}


def once(call: Callable[[int], object], steps: int, device: torch.device) -> float:
    """Seconds of so many steps, with everything that they have queued on the device."""
    _wait(device)
    begun = time.perf_counter()
    call(steps)
    _wait(device)
    return time.perf_counter() - begun


def peak_of(call: Callable[..., object], *arguments: object) -> int:
    """The most bytes that a process of its own has held at a time which did nothing but this call."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_peak, call, arguments).result()


def _peak(call: Callable[..., object], arguments: tuple[object, ...]) -> int:
    call(*arguments)
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts what the parent held into ru_maxrss
        (peak,) = (line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
