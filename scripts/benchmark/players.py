"""The two that are timed against each other, and what the rows have in common."""

from collections.abc import Callable
from typing import Any

import torch
from hydra import compose, initialize_config_dir

from gan_lab.training.build import Experiment, build_components, build_experiment, fresh_states
from gan_lab.training.engines import GAN
from gan_lab.training.loop import training_loop
from gan_lab.training.schedule import Schedule
from gan_lab.utils.paths import config_dir
from measure import Timed
from textbook import Textbook

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
    components = build_components(cfg, device)
    return build_experiment(cfg, components, fresh_states(cfg, components))


class Ours:
    """gan-lab's own loop, a few steps at a time, at its default logging interval."""

    def __init__(self, made: Experiment) -> None:
        self.made, self.step = made, 0

    def run(self, steps: int) -> None:
        plan = Schedule(steps=self.step + steps, log=50, samples=0, metrics=0, diagnostics=0, checkpoint=0)
        training_loop(self.made.engine, self.made.batches, plan, Silent(), self.step)  # type: ignore[arg-type]
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


def _fresh(made: Experiment) -> GAN:
    return made.engine.setup.template


def image_size(size: int, width: int) -> tuple[str, ...]:
    widths = (f"model.generator.width={width}", f"model.discriminator.width={width}")
    return ("dataset=digits", f"dataset.size={size}", "model=dcgan", *widths)


def ratio(a: Timed, b: Timed) -> Line:
    return {"ratio": a.median / b.median, "low": a.low / b.high, "high": a.high / b.low}
