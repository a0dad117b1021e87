"""The rows of the benchmark: each returns lines of a table, with ratios taken inside one run."""

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
from benchmarks.measure import Timed, interleaved, once
from benchmarks.textbook import Textbook
from hydra import compose, initialize_config_dir

from gan_lab import loop
from gan_lab.assembly import Experiment, assemble
from gan_lab.engines import Pair
from gan_lab.paths import config_dir

Line = dict[str, Any]
QUIET = ("metrics.every=0", "diagnostics.every=0")
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu")


class Silent:
    """An observer that looks at nothing: what is timed is the loop."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def experiment(device: torch.device, *overrides: str) -> Experiment:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", overrides=[*QUIET, *overrides])
    return assemble(cfg, device)


class Ours:
    """gan-lab's own loop, a few steps at a time, at its default logging interval."""

    def __init__(self, made: Experiment) -> None:
        self.made, self.step = made, 0

    def run(self, steps: int) -> None:
        plan = loop.Schedule(
            steps=self.step + steps, log=50, samples=0, metrics=0, diagnostics=0, checkpoint=0
        )
        loop.train(self.made.engine, self.made.batches, plan, Silent(), self.step)  # type: ignore[arg-type]
        self.step += steps


def textbook(made: Experiment, *, bf16: bool = False) -> Textbook:
    return Textbook(
        _fresh(made),
        made.data,
        batch_size=made.batches.batch_size,
        latent_size=made.batches.latent_size,
        device=made.engine.setup.device,
        bf16=bf16,
    )


def _fresh(made: Experiment) -> Pair:
    return made.engine.setup.template


def image_size(size: int, width: int) -> tuple[str, ...]:
    widths = (f"model.generator.width={width}", f"model.discriminator.width={width}")
    return ("dataset=digits", f"dataset.size={size}", "model=dcgan", *widths)


def ratio(a: Timed, b: Timed) -> Line:
    return {"ratio": a.median / b.median, "low": a.low / b.high, "high": a.high / b.low}


def one_run(device: torch.device, quick: bool) -> Iterator[Line]:
    """Steps a second of one run against the textbook loop."""
    for size, width, steps in ((16, 32, 60), (32, 64, 12), (64, 64, 4)):
        for precision in ("fp32", "bf16"):
            if quick and size == 64:
                continue
            made = experiment(device, *image_size(size, width), f"precision={precision}")
            many = steps * (20 if device.type == "cuda" else 1)
            ours, theirs = Ours(made), textbook(made, bf16=precision == "bf16")
            found = interleaved(
                {"ours": ours.run, "textbook": theirs.run},
                steps=many,
                rounds=3 if quick else 7,
                device=device,
            )
            yield {
                "what": f"dcgan {size}x{size}, {precision}",
                "gan-lab steps/s": many / found["ours"].median,
                "textbook steps/s": many / found["textbook"].median,
                **ratio(found["textbook"], found["ours"]),
            }


def seeds(device: torch.device, quick: bool) -> Iterator[Line]:
    """Seed-steps a second of many seeds at once against the textbook loop, one after another."""
    kinds = {
        "ring mlp": (("dataset=ring", "model=mlp"), 60),
        "dcgan 16x16": (image_size(16, 32), 10),
        "dcgan 32x32": (image_size(32, 64), 2),
    }
    for kind, (overrides, steps) in kinds.items():
        counts = (1, 8, 32) if quick else (1, 2, 4, 8, 16, 32)
        if device.type == "cuda":
            counts, steps = (1, 4, 16, 64), steps * 10
        for count in counts:
            if device.type == "cpu" and kind != "ring mlp" and count > (8 if quick else 16):
                continue
            made = experiment(device, *overrides, f"seeds={count}")
            ours, theirs = Ours(made), textbook(made)
            found = interleaved(
                {"ours": ours.run, "textbook": theirs.run},
                steps=steps,
                rounds=3 if quick else 5,
                device=device,
            )
            own = count * steps / found["ours"].median
            line = {
                "what": f"{kind}, {count} seeds ({type(made.engine).__name__})",
                "gan-lab seed-steps/s": own,
                "textbook steps/s": steps / found["textbook"].median,
            }
            scaled = ratio(found["textbook"], found["ours"])
            line |= {name: count * value for name, value in scaled.items()}
            if device.type == "cuda":
                line["GiB"] = torch.cuda.max_memory_allocated(device) / 2**30
                torch.cuda.reset_peak_memory_stats(device)
            yield line


def sweep(device: torch.device, quick: bool) -> Iterator[Line]:
    """Six activations with eight seeds, by gan-lab on all cores, against 48 textbook runs."""
    for kind, overrides, steps in (
        ("ring mlp", ("dataset=ring", "model=mlp"), 200 if quick else 1000),
        ("dcgan 16x16", image_size(16, 32), 30 if quick else 200),
    ):
        made = experiment(device, *overrides)
        theirs = textbook(made)
        theirs.run(3)
        alone = once(theirs.run, steps, device)
        begun = time.perf_counter()
        _everything(device, overrides, steps)
        ours = time.perf_counter() - begun
        yield {
            "what": f"{kind}, 6 activations x 8 seeds, {steps} steps, start-up included",
            "gan-lab s": ours,
            "textbook s (48 x one)": 48 * alone,
            "ratio": 48 * alone / ours,
        }


def _everything(device: torch.device, overrides: tuple[str, ...], steps: int) -> None:
    """One process a core with one thread each (one on CUDA), each with its share of the activations."""
    workers = 1 if device.type == "cuda" else os.cpu_count() or 1
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} if workers > 1 else dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        running = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gan_lab",
                    "train",
                    "-m",
                    *overrides,
                    *QUIET,
                    "seeds=8",
                    f"steps={steps}",
                    "samples.every=0",
                    f"device={device.type}",
                    "activation=" + ",".join(ACTIVATIONS[k::workers]),
                ],
                cwd=folder,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for k in range(workers)
        ]
        for process in running:
            _, err = process.communicate()
            if process.returncode:
                raise RuntimeError(err)


def overhead(device: torch.device, quick: bool) -> Iterator[Line]:
    """Share of a run's time that each thing the loop tells its observer takes, at default intervals."""
    from gan_lab import recorder, train

    spent: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, _inside(Path(folder)), _timed(recorder.Recorder, spent):
        run = train([f"steps={1000 if quick else 3000}", "activation=elu", f"device={device.type}"])
        for name, seconds in spent.items():
            yield {"what": name, "share of the run": seconds / run.status.seconds, "s": seconds}
        yield {
            "what": "all of it",
            "share of the run": sum(spent.values()) / run.status.seconds,
            "s": sum(spent.values()),
        }


def machine(device: torch.device, quick: bool) -> Iterator[Line]:
    """Floating-point operations of a step a second, as a share of what matrix products reach here."""
    from torch.utils.flop_counter import FlopCounterMode

    n = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(n, n, device=device) for _ in range(2))
    product = min(once(lambda _: torch.mm(a, b), 1, device) for _ in range(6))
    rate = 2 * n**3 / product
    for size, width in ((16, 32), (32, 64)):
        made = experiment(device, *image_size(size, width))
        ours = Ours(made)
        with FlopCounterMode(display=False) as counter:
            ours.run(1)
        steps = 10 if device.type == "cpu" else 200
        ours.run(steps)
        seconds = statistics.median(once(ours.run, steps, device) for _ in range(3)) / steps
        flops = counter.get_total_flops()
        yield {
            "what": f"dcgan {size}x{size}",
            "GFLOP a step": flops / 1e9,
            "GFLOP/s": flops / seconds / 1e9,
            "matrix product GFLOP/s": rate / 1e9,
            "share": flops / seconds / rate,
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
            repeats = 1 if "first" in name else 3
            seconds = []
            for _ in range(repeats):
                begun = time.perf_counter()
                subprocess.run(command, cwd=folder, check=True, capture_output=True)
                seconds.append(time.perf_counter() - begun)
            yield {"what": name, "s": statistics.median(seconds)}


def activations(device: torch.device, quick: bool) -> Iterator[Line]:
    """A whole step with each activation in both networks, relative to ReLU."""
    names = (
        "relu",
        "identity",
        *(n for n in ACTIVATIONS if n != "relu"),
        "selu",
        "gelu",
        "silu",
        "mish",
        "snake",
    )
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


ROWS: dict[str, Callable[[torch.device, bool], Iterator[Line]]] = {
    "one_run": one_run,
    "seeds": seeds,
    "sweep": sweep,
    "overhead": overhead,
    "machine": machine,
    "startup": startup,
    "activations": activations,
}


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
