"""Rows of the benchmark: gan-lab against the textbook loop."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from loops import ACTIVATIONS, QUIET, GanLabLoop, Line, build, dcgan, engine_of, ratio, textbook_steps
from measure import interleaved, peak_memory, seconds_of


def one_run(device: torch.device, quick: bool) -> Iterator[Line]:
    """Steps per second of one run against the textbook loop, which has a process of its own."""
    for size, width, cpu_steps in ((16, 32, 60), (32, 64, 10), (64, 64, 3)):
        for precision in ("fp32", "bf16"):
            if quick and (size == 64 or precision == "bf16"):
                continue
            experiment = build(device, *dcgan(size, width), f"precision={precision}")
            steps = cpu_steps * (20 if device.type == "cuda" else 1)
            textbook = textbook_steps(device, dcgan(size, width), bf16=precision == "bf16")
            timings = interleaved(
                {"gan-lab": GanLabLoop(experiment).run, "textbook": textbook},
                steps=steps,
                rounds=3 if quick else 7,
                device=device,
            )
            textbook.close()
            yield {
                "what": f"dcgan {size}x{size}, {precision}",
                "gan-lab steps/s": steps / timings["gan-lab"].median,
                "textbook steps/s": steps / timings["textbook"].median,
                **ratio(timings["textbook"], timings["gan-lab"]),
            }


def seeds(device: torch.device, quick: bool) -> Iterator[Line]:
    """Seed-steps per second of many seeds at once against the textbook loop in a process of its own."""
    kinds = {
        "ring mlp": (("dataset=ring", "model=mlp"), 60),
        "dcgan 16x16": (dcgan(16, 32), 10),
        "dcgan 32x32": (dcgan(32, 64), 2),
    }
    for kind, (overrides, steps) in kinds.items():
        counts: tuple[int, ...] = (1, 8, 32) if quick else (1, 2, 4, 8, 16, 32)
        if device.type == "cuda":
            counts, steps = (1, 4, 16, 64), steps * 10
        for count in counts:
            too_slow = {"ring mlp": 32, "dcgan 16x16": 32, "dcgan 32x32": 8}[kind]
            if device.type == "cpu" and (count > too_slow or (quick and kind != "ring mlp")):
                continue
            experiment = build(device, *overrides, f"seeds={count}")
            textbook = textbook_steps(device, overrides)
            timings = interleaved(
                {"gan-lab": GanLabLoop(experiment).run, "textbook": textbook},
                steps=steps,
                rounds=3 if quick else 5,
                device=device,
            )
            textbook.close()
            line = {
                "what": f"{kind}, {count} seeds ({engine_of(experiment).description})",
                "gan-lab seed-steps/s": count * steps / timings["gan-lab"].median,
                "textbook steps/s": steps / timings["textbook"].median,
            }
            per_loop = ratio(timings["textbook"], timings["gan-lab"])
            line |= {name: count * value for name, value in per_loop.items()}
            if device.type == "cuda":
                line["peak MiB"] = torch.cuda.max_memory_allocated(device) / 2**20
                torch.cuda.reset_peak_memory_stats(device)
            elif not quick:
                line["peak MiB"] = peak_memory(_three_steps, (*overrides, f"seeds={count}")) / 2**20
            yield line


def compiled(device: torch.device, quick: bool) -> Iterator[Line]:
    """Compiled and eager steps against the textbook loop in a process of its own, and seconds until ready."""
    kinds = {
        "ring mlp, 8 seeds": (("dataset=ring", "model=mlp", "seeds=8"), 60),
        "ring mlp, 32 seeds": (("dataset=ring", "model=mlp", "seeds=32"), 30),
        "dcgan 16x16": (dcgan(16, 32), 30),
        "dcgan 32x32": (dcgan(32, 64), 5),
    }
    for kind, (overrides, steps) in list(kinds.items())[: 1 if quick else None]:
        eager = build(device, *overrides, "execution=eager")
        begun = time.perf_counter()
        ready = build(device, *overrides, "execution=compiled")
        seconds = time.perf_counter() - begun
        textbook = textbook_steps(device, tuple(word for word in overrides if not word.startswith("seeds=")))
        calls: dict[str, Callable[[int], object]] = {
            "compiled": GanLabLoop(ready).run,
            "eager": GanLabLoop(eager).run,
            "textbook": textbook,
        }
        timings = interleaved(calls, steps=steps, rounds=3 if quick else 7, device=device)
        textbook.close()
        count = len(engine_of(ready).seeds)
        yield {
            "what": f"{kind} ({engine_of(ready).description})",
            "s until ready": seconds,
            **{f"{name} ms": 1e3 * timing.median / steps for name, timing in timings.items()},
            **{
                f"{name} ratio": count * timings["textbook"].median / timings[name].median
                for name in ("compiled", "eager")
            },
        }


def _three_steps(overrides: tuple[str, ...]) -> None:
    GanLabLoop(build(torch.device("cpu"), *overrides)).run(3)


def sweep(device: torch.device, quick: bool) -> Iterator[Line]:
    """Six activations with eight seeds on all cores, with start-up, against 48 runs of the textbook loop."""
    errors = []
    for kind, overrides, steps in (
        ("ring mlp", ("dataset=ring", "model=mlp"), 400 if quick else 1000),
        ("dcgan 16x16", dcgan(16, 32), 200),
    ):
        if quick and kind != "ring mlp":
            continue
        textbook = textbook_steps(device, overrides)
        textbook(3)
        one_run_seconds = statistics.median(seconds_of(textbook, steps, device) for _ in range(3))
        textbook.close()
        # Compiled steps from an empty cache, then with what that has left there.
        with tempfile.TemporaryDirectory() as cache:
            for execution, state in (("auto", ""), ("compiled", ", cold"), ("compiled", ", warm")):
                if quick and execution != "auto":
                    continue
                words = (*overrides, f"execution={execution}")
                try:
                    seconds, taken = _sweep_command(device, words, steps, cache if state else None)
                except RuntimeError as error:  # of which the other lines know nothing
                    errors.append(str(error))
                    continue
                yield {
                    "what": f"{kind}, 6 x 8 seeds, {steps} steps, {execution}{state} ({taken})",
                    "gan-lab s": seconds,
                    "textbook s (48 x one)": 48 * one_run_seconds,
                    "ratio": 48 * one_run_seconds / seconds,
                }
    if errors:
        raise RuntimeError("; ".join(errors))


def _sweep_command(
    device: torch.device, overrides: tuple[str, ...], steps: int, cache: str | None
) -> tuple[float, str]:
    """Run the sweep as one command: on a CPU one run per core, on CUDA one run after the other.

    cache: where compiled steps are kept, instead of the user's own folder. Returns the seconds that it took
    and the executions of its runs. Raises RuntimeError if it fails.
    """
    words = [*overrides, *QUIET, "seeds=8", f"steps={steps}", "samples.every=0", f"device={device.type}"]
    words.append("activation=" + ",".join(ACTIVATIONS))
    if device.type == "cpu":
        words.append("hydra/launcher=cores")
    environment = dict(os.environ)
    if cache is not None:
        environment |= {"GAN_LAB_CACHE": cache, "TORCHINDUCTOR_CACHE_DIR": f"{cache}/compiled"}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gan_lab", "train", "-m", *words]
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
        runs = [json.loads(path.read_text()) for path in Path(folder).glob("outputs/*/*/status.json")]
    if done.returncode:
        raise RuntimeError(f"gan-lab train -m {' '.join(words)} failed: {done.stderr.strip()}")
    return seconds, ", ".join(sorted({f"{run['engine']}, {run['execution']}" for run in runs}))
