"""Rows of the benchmark: gan-lab against the textbook loop."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import torch

from measure import interleaved, once, peak_of
from players import ACTIVATIONS, QUIET, Line, Ours, experiment, image_size, ratio, textbook


def one_run(device: torch.device, quick: bool) -> Iterator[Line]:
    """Steps a second of one run against the textbook loop."""
    for size, width, steps in ((16, 32, 60), (32, 64, 10), (64, 64, 3)):
        for precision in ("fp32", "bf16"):
            if quick and (size == 64 or precision == "bf16"):
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
            theirs.close()
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
        counts: tuple[int, ...] = (1, 8, 32) if quick else (1, 2, 4, 8, 16, 32)
        if device.type == "cuda":
            counts, steps = (1, 4, 16, 64), steps * 10
        for count in counts:
            too_slow = {"ring mlp": 32, "dcgan 16x16": 32, "dcgan 32x32": 8}[kind]
            if device.type == "cpu" and (count > too_slow or (quick and kind != "ring mlp")):
                continue
            made = experiment(device, *overrides, f"seeds={count}")
            ours, theirs = Ours(made), textbook(made)
            found = interleaved(
                {"ours": ours.run, "textbook": theirs.run},
                steps=steps,
                rounds=3 if quick else 5,
                device=device,
            )
            theirs.close()
            own = count * steps / found["ours"].median
            line = {
                "what": f"{kind}, {count} seeds ({type(made.engine).__name__})",
                "gan-lab seed-steps/s": own,
                "textbook steps/s": steps / found["textbook"].median,
            }
            scaled = ratio(found["textbook"], found["ours"])
            line |= {name: count * value for name, value in scaled.items()}
            if device.type == "cuda":
                line["peak MiB"] = torch.cuda.max_memory_allocated(device) / 2**20
                torch.cuda.reset_peak_memory_stats(device)
            elif not quick:
                line["peak MiB"] = peak_of(_some_steps, (*overrides, f"seeds={count}")) / 2**20
            yield line


def _some_steps(overrides: tuple[str, ...]) -> None:
    Ours(experiment(torch.device("cpu"), *overrides)).run(3)


def sweep(device: torch.device, quick: bool) -> Iterator[Line]:
    """Six activations with eight seeds, by gan-lab on all cores, against 48 textbook runs."""
    for kind, overrides, steps in (
        ("ring mlp", ("dataset=ring", "model=mlp"), 400 if quick else 1000),
        ("dcgan 16x16", image_size(16, 32), 200),
    ):
        if quick and kind != "ring mlp":
            continue
        made = experiment(device, *overrides)
        theirs = textbook(made)
        theirs.run(3)
        alone = statistics.median(once(theirs.run, steps, device) for _ in range(3))
        theirs.close()
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
    """The sweep as one command: on a CPU with a run on each core, on CUDA one run after the other."""
    words = [*overrides, *QUIET, "seeds=8", f"steps={steps}", "samples.every=0", f"device={device.type}"]
    words.append("activation=" + ",".join(ACTIVATIONS))
    if device.type == "cpu":
        words.append("hydra/launcher=cores")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gan_lab", "train", "-m", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
