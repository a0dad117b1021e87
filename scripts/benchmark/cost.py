"""Rows of the benchmark: what gan-lab's own parts cost, and how far it is from what the machine can do."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from measure import interleaved
from players import ACTIVATIONS, QUIET, Line, Ours, experiment, image_size, ratio


def overhead(device: torch.device, quick: bool) -> Iterator[Line]:
    """Share of a run's time that each thing the loop tells its observer takes, at default intervals."""
    from gan_lab import Study
    from gan_lab.training import recorder

    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, _inside(Path(folder)), _timed(recorder.Recorder, spent):
        run = Study().train([f"steps={500 if quick else 3000}", "activation=elu", f"device={device.type}"])
        for name, seconds in spent.items():
            yield {"what": name, "share of the run": seconds / run.status.seconds, "s": seconds}
        yield {
            "what": "all of it",
            "share of the run": sum(spent.values()) / run.status.seconds,
            "s": sum(spent.values()),
        }


def machine(device: torch.device, quick: bool) -> Iterator[Line]:
    """Floating-point operations of a step a second, as a share of what matrix products reach in between."""
    from torch.utils.flop_counter import FlopCounterMode

    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    kinds = {
        "dcgan 16x16": (image_size(16, 32), 10),
        "ring mlp, 32 seeds": (("dataset=ring", "model=mlp", "seeds=32"), 6),
        "dcgan 32x32": (image_size(32, 64), 2),
    }
    for kind, (overrides, steps) in list(kinds.items())[: 1 if quick else None]:
        many = steps * (20 if device.type == "cuda" else 1)
        ours = Ours(experiment(device, *overrides))
        with FlopCounterMode(display=False) as counter:
            ours.run(1)
        flops = counter.get_total_flops()
        found = interleaved(
            {"ours": ours.run, "product": lambda _: torch.mm(a, b)},
            steps=many,
            rounds=5 if quick else 15,
            device=device,
        )
        reached, possible = flops * many / found["ours"].median, 2 * n**3 / found["product"].median
        yield {
            "what": kind,
            "GFLOP a step": flops / 1e9,
            "GFLOP/s": reached / 1e9,
            "matrix product GFLOP/s": possible / 1e9,
            "share": reached / possible,
        }


def startup(device: torch.device, quick: bool) -> Iterator[Line]:
    """Seconds until each command is done."""
    with tempfile.TemporaryDirectory() as folder:
        small = ["train", "steps=1", "samples.every=0", *QUIET, f"device={device.type}"]
        for name, words in (
            ("gan-lab --help", ["--help"]),
            ("gan-lab train --cfg job", ["train", "--cfg", "job"]),
            ("first step (a run of one step)", small),
            ("the same again, finished", small),
        ):
            command = [sys.executable, "-m", "gan_lab", *words]
            repeats = 1 if quick or "first" in name else 3
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                seconds.append(time.perf_counter() - begun)
            yield {"what": name, "s": statistics.median(seconds)}


def activations(device: torch.device, quick: bool) -> Iterator[Line]:
    """A whole step with each activation in both networks, relative to ReLU."""
    names = ("relu", *(n for n in ACTIVATIONS if n != "relu"))
    if not quick:
        names += ("identity", "selu", "gelu", "silu", "mish", "snake")
    made = {n: Ours(experiment(device, *image_size(16, 32), f"activation={n}")) for n in names}
    steps = 10 if device.type == "cpu" else 100
    found = interleaved(
        {n: ours.run for n, ours in made.items()},
        steps=steps,
        rounds=3 if quick else 7,
        device=device,
    )
    for name in names:
        yield {"what": name, "ms": 1e3 * found[name].median / steps, **ratio(found[name], found["relu"])}


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _timed(kind: type, spent: dict[str, float]) -> Iterator[None]:
    """Add up the seconds inside each of an observer's methods."""
    names = ("numbers", "samples", "metrics", "diagnostics", "checkpoint", "step")
    plain = {name: getattr(kind, name) for name in names}

    def wrapped(name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            begun = time.perf_counter()
            try:
                return plain[name](*args)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - begun

        return call

    for name in names:
        setattr(kind, name, wrapped(name))
    try:
        yield
    finally:
        for name, method in plain.items():
            setattr(kind, name, method)
