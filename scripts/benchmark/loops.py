"""The two loops that are timed against each other, built from one configuration."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from hydra import compose, initialize_config_dir

from gan_lab.training.build import Experiment, build_components, build_experiment, fresh_states
from gan_lab.training.engines import Engine
from gan_lab.training.loop import training_loop
from gan_lab.training.schedule import Schedule
from gan_lab.utils.devices import computing_on
from gan_lab.utils.paths import config_dir
from measure import Apart, Timing, interleaved
from textbook import TextbookLoop

Line = dict[str, Any]
QUIET = ("metrics.every=0", "diagnostics.every=0")
PASSIVE = {"OMP_WAIT_POLICY": "passive"}
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "prelu", "elu")


class NullCallback:
    """Ignores everything, so that only the loop is timed."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


def build(device: torch.device, *overrides: str) -> Experiment:
    """Compose and build a configuration that neither measures nor diagnoses."""
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir())):
        cfg = compose("train", overrides=[*QUIET, *overrides])
    components = build_components(cfg, device)
    return build_experiment(cfg, components, fresh_states(cfg, components))


def engine_of(experiment: Experiment) -> Engine:
    assert experiment.engine is not None, "a fresh experiment trains all its seeds"
    return experiment.engine


class GanLabLoop:
    """gan-lab's loop, a few steps per call, at its default logging interval."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment, self.step = experiment, 0

    def run(self, steps: int) -> None:
        last = self.step + steps
        schedule = Schedule(steps=last, log=50, samples=0, metrics=0, diagnostics=0, checkpoint=0)
        engine, batches = self.experiment.engine, self.experiment.batches
        training_loop(engine, batches, schedule, NullCallback(), self.step)  # type: ignore[arg-type]
        self.step = last


def textbook_steps(device: torch.device, overrides: tuple[str, ...], *, bf16: bool = False) -> Apart:
    """The textbook's loop with the same networks, data, batch size and device, in a process of its own.

    In gan-lab's it would share OpenMP's threads with it, which are more than the cores as soon as gan-lab's
    second thread has some: GNU's library then has all of them sleep at the end of every parallel loop. Alone
    they spin until the next one, which is up to twice as fast on a quiet machine, and many times slower on a
    busy one. Here the loop does whatever is faster now.
    """
    ways = [Apart(waiting, _textbook_steps, device, overrides, bf16) for waiting in ({}, PASSIVE)]
    timings = interleaved(dict(zip(("spins", "sleeps"), ways, strict=True)), steps=3, rounds=3, device=device)
    faster = min(range(len(ways)), key=lambda k: list(timings.values())[k].median)
    ways[1 - faster].close()
    return ways[faster]


def _textbook_steps(device: torch.device, overrides: tuple[str, ...], bf16: bool) -> Callable[[int], object]:
    _KEPT.enter_context(computing_on(device, deterministic=False))  # as the process that gan-lab's loop is in
    experiment = build(device, *overrides, "engine=sequential", "execution=eager")
    textbook = TextbookLoop(
        engine_of(experiment).config.template,
        experiment.data,
        batch_size=experiment.batches.batch_size,
        latent_size=experiment.batches.latent_size,
        device=device,
        bf16=bf16,
    )
    return textbook.run


_KEPT = ExitStack()


def dcgan(size: int, width: int) -> tuple[str, ...]:
    """Overrides of a DCGAN on digits of this size."""
    widths = (f"model.generator.width={width}", f"model.discriminator.width={width}")
    return ("dataset=digits", f"dataset.size={size}", "model=dcgan", *widths)


def ratio(a: Timing, b: Timing) -> Line:
    """How many times as long a takes: by medians, and the lowest and highest that the rounds allow."""
    return {"ratio": a.median / b.median, "low": a.low / b.high, "high": a.high / b.low}
