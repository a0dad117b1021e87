"""What a network's updates have beside its optimizer: a schedule, and clipping."""

import torch
from omegaconf import DictConfig

from gan_lab.config.build import build
from gan_lab.config.schema import value_of
from gan_lab.training.engines import Clipping, Schedule
from gan_lab.utils.checks import check_number
from gan_lab.utils.errors import ConfigurationError, summarize_exception
from gan_lab.utils.seeding import seeded


def build_schedule(cfg: DictConfig, key: str) -> Schedule | None:
    """Build a schedule, and try it on the first steps and on the last; None if there is none."""
    if not value_of(cfg, key):
        return None
    schedule: Schedule = build(cfg, key)
    for step in (0, 1, cfg.steps - 1):
        try:
            factor = schedule(step)
        except Exception as error:
            raise ConfigurationError(f"{key} fails at step {step}: {summarize_exception(error)}") from error
        check_number(f"{key} at step {step}", factor, at_least=0)
    return schedule


def at_turn(schedule: Schedule, turns_per_step: int, turn: int) -> float:
    """Return the factor for a network that takes several steps per step of the generator."""
    return schedule(turn // turns_per_step)


def build_clipping(cfg: DictConfig, key: str) -> Clipping | None:
    """Build what clips one seed's gradients, and try it on some; None if there is none."""
    if not value_of(cfg, key):
        return None
    clip: Clipping = build(cfg, key)
    gradients = [torch.linspace(-2, 2, 6).view(2, 3), torch.ones(4), torch.ones(())]
    try:
        with seeded(0, "tried clipping"):
            shapes = [tuple(clipped.shape) for clipped in clip(list(gradients))]
    except Exception as error:
        raise ConfigurationError(f"{key} cannot be applied: {summarize_exception(error)}") from error
    if shapes != [tuple(gradient.shape) for gradient in gradients]:
        raise ConfigurationError(
            f"{key} must return as many gradients as it gets, in their shapes; of (2, 3), (4,) and () it "
            f"made {', '.join(map(str, shapes)) or 'none'}"
        )
    return clip
