"""What ``auto`` takes on a GPU: of all ways to take a run's steps, the one that a trial finds the fastest.

Which one that is depends on the networks, the number of seeds and the GPU. A trial takes a few steps in each
way, with copies of the states and one step's batches, so that the run is what it would be without it. What it
measured is kept in gan-lab's cache folder for the next run of the same shape. On a CPU
`gan_lab.training.engines.choice` has a rule instead: timings differ, and with them a fresh run's bits.
"""

import gc
import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gan_lab.gan.steps import Batch
from gan_lab.training.engines.base import EngineConfig
from gan_lab.training.engines.choice import COMPILING_S, MARGIN, Choice
from gan_lab.training.engines.cuda_graph import WARMUP_STEPS
from gan_lab.training.engines.engine import Engine
from gan_lab.training.engines.state import TrainState
from gan_lab.utils.devices import describe_device
from gan_lab.utils.errors import summarize_exception
from gan_lab.utils.files import atomic_write
from gan_lab.utils.paths import cache_dir

_log = logging.getLogger(__name__)

STEPS, ROUNDS = 10, 3  # that are timed, of which the fastest round counts: it was disturbed least
HOPELESS = 2.0  # times as long as the best so far: one step is enough to know
FEWEST_STEPS = 1000  # a shorter run ends sooner than its trial would repay
COMPILED_SAVES = 0.5  # of the time of a step, at most: hoped for, not measured

Timer = Callable[[Engine, Callable[[], None], int], float]  # (engine, step, how often) -> seconds


def timer_for(device: torch.device) -> Timer | None:
    """Return what times steps on this device; None where ``auto`` is a rule."""
    return _seconds_on_cuda if device.type == "cuda" else None


def _seconds_on_cuda(engine: Engine, step: Callable[[], None], times: int) -> float:
    device = engine.config.device
    torch.cuda.synchronize(device)
    begun = time.perf_counter()
    for _ in range(times):
        step()
    torch.cuda.synchronize(device)
    return time.perf_counter() - begun


@dataclass(frozen=True)
class Trial:
    """Times steps of a run that begins.

    states: of all its seeds, which are copied; batches: of one step, the discriminator's and the generator's;
    steps: that the run has before it.
    """

    config: EngineConfig
    states: Sequence[TrainState]
    batches: tuple[list[Batch], Batch]
    steps: int
    timer: Timer

    def fastest(self, choices: Sequence[Choice]) -> EngineConfig:
        """Return the configuration with the fastest of the choices, and say so; as it is if none works.

        Where executions are compared and the run is long enough, a compiled step is tried, too.
        """
        shape = self._shape()
        path = cache_dir() / "engines" / f"{_digest(shape)}.json"
        known = _read(path, shape)
        if self.steps < FEWEST_STEPS and not known.keys() >= set(map(str, choices)):
            return self.config
        taken: dict[Choice, float] = {}
        for choice in choices:
            self._add(choice, taken, known)
        if not taken:
            return self.config
        best = min(taken, key=lambda choice: taken[choice])
        compared = {choice.execution for choice in choices} == {"cuda_graph", "eager"}
        if compared and COMPILED_SAVES * taken[best] * self.steps >= MARGIN * COMPILING_S:
            self._add(Choice(best.engine, "compiled"), taken, known)
            best = min(taken, key=lambda choice: taken[choice])
        milliseconds = {str(choice): 1e3 * seconds for choice, seconds in taken.items()}
        said = "; ".join(f"{choice} {ms:.3g} ms" for choice, ms in milliseconds.items())
        is_known = known.keys() >= milliseconds.keys()
        _log.info("auto: %s, the fastest %s (%s per step)", best, "before" if is_known else "here", said)
        if not is_known:
            _write(path, shape, known | milliseconds)
        return replace(self.config, engine=best.engine, execution=best.execution)

    def _add(self, choice: Choice, taken: dict[Choice, float], known: Mapping[str, float]) -> None:
        """Add the seconds per step of a choice, known or timed; say why if it does not work."""
        if str(choice) in known:
            taken[choice] = known[str(choice)] / 1e3
            return
        try:
            taken[choice] = self._timed(choice, min(taken.values(), default=math.inf))
        except Exception as error:  # of a device that is full, a network that cannot be stacked, a compiler
            _log.info("auto: %s is left out: %s", choice, summarize_exception(error, bare=True))
        gc.collect()  # an engine's parts refer to each other
        if self.config.device.type == "cuda":
            torch.cuda.empty_cache()

    def _timed(self, choice: Choice, best: float) -> float:
        """Return the seconds per step of one choice. Raises RuntimeError if it falls back to another one."""
        config = replace(self.config, engine=choice.engine, execution=choice.execution)
        engine = Engine(config, self.states)
        discriminator_batches, generator_batch = self.batches
        engine.prepare({"discriminator": discriminator_batches[0], "generator": generator_batch})
        step = 0

        def take_step() -> None:
            nonlocal step
            for turn, batch in enumerate(discriminator_batches, step * len(discriminator_batches)):
                engine.discriminator_step(batch, turn)
            engine.generator_step(generator_batch, step)
            step += 1

        for _ in range(WARMUP_STEPS + 1):  # the last one is captured
            take_step()
        if engine.execution.name != choice.execution:
            raise RuntimeError(f"its steps are {engine.execution.name}")
        seconds = self.timer(engine, take_step, 1)
        if seconds > HOPELESS * best:
            return seconds
        return min(self.timer(engine, take_step, STEPS) for _ in range(ROUNDS)) / STEPS

    def _shape(self) -> dict[str, Any]:
        """Return what the time of a step depends on: where it is taken, and the sizes of what is in it."""
        config, (discriminator_batches, generator_batch) = self.config, self.batches
        loss = config.gan_loss
        return {
            "device": describe_device(config.device),
            "torch": torch.__version__,
            "precision": str(config.precision),
            "seeds": len(self.states),
            "concurrent seeds": config.max_concurrent_seeds,
            "layers": sum(1 for _ in config.template.modules()),
            "parameters": [list(param.shape) for param in config.template.parameters()],
            "batches": [
                [list(t.shape) for t in batch] for batch in (*discriminator_batches, generator_batch)
            ],
            "loss": [type(part).__name__ for part in (loss.objective, loss.regularizer, loss.augmentation)],
            "optimizers": {
                player: getattr(getattr(factory, "func", factory), "__name__", "")
                for player, factory in config.optimizers.items()
            },
            "average": config.ema is not None,
            "clipped": sorted(config.clippings),
        }


def _digest(shape: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]


def _read(path: Path, shape: Mapping[str, Any]) -> dict[str, float]:
    """Return choice -> milliseconds per step as timed before; none without a file, or if it is damaged."""
    try:
        content = json.loads(path.read_text())
        if content["shape"] != shape:
            return {}
        return {choice: float(ms) for choice, ms in content["ms"].items() if 0 < float(ms) < math.inf}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _write(path: Path, shape: Mapping[str, Any], milliseconds: Mapping[str, float]) -> None:
    with suppress(OSError):  # a folder that cannot be written: the next run measures again
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps({"shape": shape, "ms": dict(milliseconds)}, indent=2) + "\n")
