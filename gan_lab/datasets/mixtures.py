"""Two-dimensional mixtures of Gaussians, where every mode is known and counted."""

import math
from functools import partial

import torch
from torch import Tensor

from gan_lab.datasets.base import Points, hash_content
from gan_lab.utils.checks import check_int, check_number
from gan_lab.utils.memory import require_memory
from gan_lab.utils.seeding import stream


def make_ring(
    modes: int = 8,
    radius: float = 1.0,
    std: float = 0.01,
    size: int = 100_000,
    data_seed: int = 0,
    name: str = "ring",
) -> Points:
    """Gaussians at equal angles on a circle; the defaults are those of PacGAN's code (Lin et al. 2018)."""
    check_int("dataset.modes", modes)
    check_number("dataset.radius", radius, above=0)
    check_number("dataset.std", std, above=0)
    check_int("dataset.size", size)
    require_memory(64 * size + 64 * modes, f"dataset.size={size} with dataset.modes={modes}")
    # Not linspace from 0 to 2 pi, whose first and last angle are the same mode.
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    centers = torch.stack([angles.cos(), angles.sin()], 1) * radius
    recipe = ("ring", modes, float(radius), float(std), size, data_seed)
    return _mixture(centers, std, size, data_seed, name, hash_content(*recipe))


def make_grid(
    side: int = 5,
    spacing: float = 2.0,
    std: float = 0.05,
    size: int = 100_000,
    data_seed: int = 0,
    name: str = "grid",
) -> Points:
    """side x side Gaussians around the origin; the defaults are those of PacGAN's code (Lin et al. 2018)."""
    check_int("dataset.side", side)
    check_number("dataset.spacing", spacing, above=0)
    check_number("dataset.std", std, above=0)
    check_int("dataset.size", size)
    require_memory(64 * size + 64 * side**2, f"dataset.size={size} with dataset.side={side}")
    ticks = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * spacing
    recipe = ("grid", side, float(spacing), float(std), size, data_seed)
    centers = torch.cartesian_prod(ticks, ticks)
    return _mixture(centers, std, size, data_seed, name, hash_content(*recipe))


def _mixture(
    centers: Tensor,
    std: float,
    size: int,
    data_seed: int,
    name: str,
    fingerprint: str | None = None,
    part: str = "mixture",
) -> Points:
    generator = stream(data_seed, part)
    labels = torch.randint(len(centers), (size,), generator=generator)
    points = centers[labels] + std * torch.randn(size, 2, generator=generator, dtype=torch.float64)
    return Points(
        points.float(),
        name=name,
        labels=labels,
        centers=centers.float(),
        std=std,
        fingerprint=fingerprint,
        held_out=partial(_mixture, centers, std, size, data_seed, name, part="held-out mixture"),
    )
