"""Rows of the benchmark: gan-lab against the textbook loop."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import torch
from benchmarks.measure import interleaved, once
from benchmarks.players import ACTIVATIONS, QUIET, Line, Ours, experiment, image_size, ratio, textbook


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
