"""Rows of the benchmark: what gan-lab's parts cost, and how far it is from what the machine can do."""

import inspect
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from loops import ACTIVATIONS, QUIET, GanLabLoop, Line, build, dcgan, ratio
from measure import interleaved


def overhead(device: torch.device, quick: bool) -> Iterator[Line]:
    """Share of a run's time that each call of the loop's callback takes, at default intervals."""
    from gan_lab import train_run
    from gan_lab.training.recorder import Recorder

    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, _working_in(Path(folder)), _timed(Recorder, seconds):
        run = train_run([f"steps={500 if quick else 3000}", "activation=elu", f"device={device.type}"])
    seconds["all of it"] = sum(seconds.values())
    for name, spent in seconds.items():
        yield {"what": name, "share of the run": spent / run.status.seconds, "s": spent}


def own(device: torch.device, quick: bool) -> Iterator[Line]:
    """Time of a forward and a backward pass through networks of one's own, over that of the plain modules."""
    from gan_lab.gan import AsWritten, DCGANDiscriminator, DCGANGenerator, OwnDiscriminator, OwnGenerator

    for size in (16,) if quick else (16, 32):
        shape, latent = (1, size, size), torch.randn(64, 64, device=device)
        nets: dict[str, tuple[nn.Module, nn.Module]] = {
            "plain": (DCGANGenerator(64, shape, nn.ReLU), DCGANDiscriminator(shape, nn.ReLU))
        }
        for name, activation in (("as_written", AsWritten), ("relu", nn.ReLU)):
            copies = deepcopy(nets["plain"])
            nets[name] = (
                OwnGenerator(64, shape, activation, copies[0]),
                OwnDiscriminator(shape, activation, copies[1]),
            )

        calls = {name: partial(_passes, latent, g.to(device), d.to(device)) for name, (g, d) in nets.items()}
        timings = interleaved(calls, steps=3, rounds=5 if quick else 15, device=device)
        for name in ("as_written", "relu"):
            over_plain = timings[name].median / timings["plain"].median
            yield {"what": f"dcgan {size}x{size}, {name}", "time over plain": over_plain}


def _passes(latent: torch.Tensor, generator: nn.Module, discriminator: nn.Module, steps: int) -> None:
    for _ in range(steps):
        learned = [*generator.parameters(), *discriminator.parameters()]
        torch.autograd.grad(discriminator(generator(latent)).sum(), learned, allow_unused=True)


def machine(device: torch.device, quick: bool) -> Iterator[Line]:
    """Floating-point operations per second of a step, as a share of what matrix products reach in between."""
    from torch.utils.flop_counter import FlopCounterMode

    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    kinds = {
        "dcgan 16x16": (dcgan(16, 32), 10),
        "ring mlp, 32 seeds": (("dataset=ring", "model=mlp", "seeds=32"), 6),
        "dcgan 32x32": (dcgan(32, 64), 2),
    }
    for kind, (overrides, cpu_steps) in list(kinds.items())[: 1 if quick else None]:
        steps = cpu_steps * (20 if device.type == "cuda" else 1)
        loop = GanLabLoop(build(device, *overrides))
        with FlopCounterMode(display=False) as counter:
            loop.run(1)
        flops = counter.get_total_flops()
        timings = interleaved(
            {"gan-lab": loop.run, "product": lambda _: torch.mm(a, b)},
            steps=steps,
            rounds=5 if quick else 15,
            device=device,
        )
        reached, possible = flops * steps / timings["gan-lab"].median, 2 * n**3 / timings["product"].median
        yield {
            "what": kind,
            "GFLOP per step": flops / 1e9,
            "GFLOP/s": reached / 1e9,
            "matrix product GFLOP/s": possible / 1e9,
            "share": reached / possible,
        }


def startup(device: torch.device, quick: bool) -> Iterator[Line]:
    """Seconds until each command is done."""
    with tempfile.TemporaryDirectory() as folder:
        one_step = ["train", "steps=1", "samples.every=0", *QUIET, f"device={device.type}"]
        for name, words in (
            ("gan-lab --help", ["--help"]),
            ("gan-lab train --cfg job", ["train", "--cfg", "job"]),
            ("first step (a run of one step)", one_step),
            ("the same again, finished", one_step),
        ):
            command = [sys.executable, "-m", "gan_lab", *words]
            seconds = []
            for _ in range(1 if quick or "first" in name else 3):
                start = time.perf_counter()
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                seconds.append(time.perf_counter() - start)
            yield {"what": name, "s": statistics.median(seconds)}


def activations(device: torch.device, quick: bool) -> Iterator[Line]:
    """A whole step with each activation in both networks, relative to ReLU."""
    names = ("relu", *(name for name in ACTIVATIONS if name != "relu"))
    if not quick:
        names += ("identity", "selu", "gelu", "silu", "mish", "snake")
    loops = {name: GanLabLoop(build(device, *dcgan(16, 32), f"activation={name}")) for name in names}
    steps = 10 if device.type == "cpu" else 100
    timings = interleaved(
        {name: loop.run for name, loop in loops.items()},
        steps=steps,
        rounds=3 if quick else 7,
        device=device,
    )
    for name, timing in timings.items():
        yield {"what": name, "ms": 1e3 * timing.median / steps, **ratio(timing, timings["relu"])}


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _timed(recorder: type, seconds: dict[str, float]) -> Iterator[None]:
    """Add up the seconds inside each method through which the loop calls a recorder."""
    from gan_lab.training.loop import Callback

    names = [name for name, _ in inspect.getmembers(Callback, inspect.isfunction) if not name.startswith("_")]
    originals = {name: getattr(recorder, name) for name in names}

    def timed(name: str) -> Callable[..., Any]:
        def method(*arguments: Any, **keywords: Any) -> Any:
            start = time.perf_counter()
            try:
                return originals[name](*arguments, **keywords)
            finally:
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

        return method

    for name in names:
        setattr(recorder, name, timed(name))
    try:
        yield
    finally:
        for name, method in originals.items():
            setattr(recorder, name, method)
