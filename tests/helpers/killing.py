"""Runs that are stopped at any instant and started again, compared bit by bit with one that never was.

Processes come from a fork server that has imported everything once: what is killed is a real process, and
starting one takes a tenth of a second instead of four. `scripts/kill_test` can do so for hours.
"""

import contextlib
import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

EVERYTHING_OFTEN = (
    *("steps=40", "seeds=2", "ema=0.9", "log.every=1", "checkpoint.every=7", "keep_best=true"),
    *("samples.every=10", "metrics.every=10", "metrics.samples=64"),
    *("diagnostics.every=10", "diagnostics.samples=16"),
)
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Before its handlers are there, a signal does what it does to any Python program.
EXIT_CODES = {
    signal.SIGKILL: {-signal.SIGKILL},
    signal.SIGTERM: {128 + signal.SIGTERM, -signal.SIGTERM},
    signal.SIGINT: {128 + signal.SIGINT, -signal.SIGINT, 1},
}


PRELOADED = [
    "gan_lab.cli.training",
    "gan_lab.training.run",
    "torch._dynamo",
    "torchvision.utils",
    "matplotlib.figure",
    "scipy.stats",
]


@dataclass
class Tally:
    """kills: signals that met a living process; phases: how far it was; differing: what was not the same."""

    kills: Counter[str] = field(default_factory=Counter)
    phases: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    differing: list[str] = field(default_factory=list)


class Starter:
    """Starts `gan-lab train` in a folder, as a process of its own."""

    def __init__(self) -> None:
        os.environ["OMP_NUM_THREADS"] = "1"
        self._context = multiprocessing.get_context("forkserver")
        # Not this module: older fork servers lack our path, and find torch-fidelity's package `tests`.
        self._context.set_forkserver_preload(PRELOADED)

    def start(
        self,
        folder: Path,
        words: tuple[str, ...],
        prepare: Callable[[], object] | None = None,
        output: Path | None = None,
    ) -> BaseProcess:
        """prepare: called in the process before it trains; output: folder of its `out` and `err`."""
        folder.mkdir(parents=True, exist_ok=True)
        process = self._context.Process(target=_train, args=(folder, words, prepare, output or folder))
        process.start()
        return process

    def stop(self, folder: Path, words: tuple[str, ...], step: int, number: int) -> int | None:
        """Run until a signal comes right after a step; returns the exit code."""
        process = self.start(folder, words, partial(signal_at_step, step, number))
        process.join(120)
        return process.exitcode

    def finish(self, folder: Path, words: tuple[str, ...]) -> float:
        """Run to the end; returns the seconds that it took."""
        begun = time.monotonic()
        process = self.start(folder, words)
        process.join(120)
        assert process.exitcode == 0, (folder / "err").read_text()
        return time.monotonic() - begun


def at_step(step: int, do: Callable[[], object]) -> None:
    """Have this process do something right after a step."""
    from gan_lab.training.recorder import Recorder

    original = Recorder.step

    def watched(self: Recorder, now: int) -> None:
        original(self, now)
        if now == step:
            do()

    Recorder.step = watched  # type: ignore[method-assign]


def signal_at_step(step: int, number: int) -> None:
    at_step(step, lambda: os.kill(os.getpid(), number))


def _train(folder: Path, words: tuple[str, ...], prepare: Callable[[], object] | None, output: Path) -> None:
    from gan_lab.cli import main

    if prepare is not None:
        prepare()
    os.chdir(folder)
    with (
        (output / "out").open("a") as out,
        (output / "err").open("a") as err,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        main(["train", *words])


def kill_repeatedly(
    starter: Starter, words: tuple[str, ...], kills: int, rng: random.Random, root: Path
) -> Tally:
    """Kill runs of one configuration so many times in all, and compare each with one that was not killed."""
    words = (*words, *EVERYTHING_OFTEN)
    starter.finish(root / "reference", words)  # also warms the fork server up
    life = starter.finish(root / "timed", words)
    expected = traces(root / "reference")
    tally = Tally()
    assert not differences(expected, traces(root / "timed"))
    while sum(tally.kills.values()) < kills:
        folder = root / f"run_{tally.runs}"
        for _ in range(rng.randint(1, 4)):
            _kill_once(starter.start(folder, words), folder, life, rng, tally)
        starter.finish(folder, words)
        tally.runs += 1
        tally.differing += [f"{folder.name}: {name}" for name in differences(expected, traces(folder))]
    return tally


def _kill_once(process: BaseProcess, folder: Path, life: float, rng: random.Random, tally: Tally) -> None:
    number = rng.choice(SIGNALS)
    if rng.random() < 0.5:  # starting takes longer than training does
        while process.is_alive() and (read_status(folder) or {}).get("state") != "running":
            process.join(0.01)
        process.join(rng.uniform(0, 0.3 * life))
    else:
        process.join(rng.uniform(0, 1.05 * life))
    if process.exitcode is not None:
        return
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(60)
    if process.exitcode == 0:  # it came too late
        return
    assert process.exitcode in EXIT_CODES[number], (process.exitcode, (folder / "err").read_text())
    tally.kills[number.name] += 1
    status = read_status(folder)
    tally.phases[_phase(folder, status)] += 1
    if process.exitcode == 128 + number and status is not None and status["state"] == "interrupted":
        steps = {line["step"] for line in read_lines(folder)}
        assert not steps or max(steps) == status["step"], "what was done is not all in the checkpoint"


def _phase(folder: Path, status: dict[str, Any] | None) -> str:
    if status is None:
        return "before the first step"
    steps = max([line["step"] for line in read_lines(folder)], default=0)
    if steps == status["steps"]:
        return "after the last step"
    return f"in steps {steps // 10 * 10} to {steps // 10 * 10 + 9}"


def run_folder(folder: Path) -> Path:
    (path,) = folder.glob("outputs/*/*/status.json")
    return path.parent


def read_status(folder: Path) -> dict[str, Any] | None:
    paths = list(folder.glob("outputs/*/*/status.json"))
    return json.loads(paths[0].read_text()) if paths else None


def read_lines(folder: Path) -> list[dict[str, Any]]:
    path = run_folder(folder) / "seed_0" / "stats.jsonl"
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def traces(folder: Path) -> dict[str, Any]:
    """Everything that a run leaves behind and that must not depend on when it was stopped."""
    import torch

    run = run_folder(folder)
    trace: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if path.suffix in (".png", ".jsonl", ".safetensors") or path.name in ("results.json", "config.yaml"):
            trace[name] = path.read_bytes()
        elif path.suffix == ".tmp":
            trace[name] = "left over"
    last = sorted((run / "checkpoint").glob("step_*.pt"))[-1]
    trace[last.name] = _flat(torch.load(last, weights_only=True))
    for seed in run.glob("seed_*"):
        trace[f"{seed.name} in TensorBoard"] = events(seed)
    status = read_status(folder)
    assert status is not None
    trace["status"] = {key: status[key] for key in ("state", "step", "steps", "seeds", "diverged")}
    return trace


def events(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows: tag -> (step, value), and which steps have pictures."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    accumulator.Reload()
    tags = accumulator.Tags()
    scalars = {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
        for tag in tags["scalars"]
        if not tag.startswith("9_speed/")
    }
    return scalars | {tag: [(image.step, 0.0) for image in accumulator.Images(tag)] for tag in tags["images"]}


def _flat(value: Any, name: str = "") -> dict[str, Any]:
    """Tensors as bytes, under dotted names."""
    if isinstance(value, dict):
        return {k: v for key, part in value.items() for k, v in _flat(part, f"{name}.{key}").items()}
    if isinstance(value, (list, tuple)):
        return {k: v for key, part in enumerate(value) for k, v in _flat(part, f"{name}.{key}").items()}
    return {name: value.contiguous().numpy().tobytes() if hasattr(value, "numpy") else value}


def differences(expected: dict[str, Any], trace: dict[str, Any]) -> list[str]:
    """Names of what is missing, added, or not the same."""
    names = sorted(expected.keys() | trace.keys())
    return [name for name in names if repr(expected.get(name)) != repr(trace.get(name))]
