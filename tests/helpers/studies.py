"""Scores of made-up candidates, and short ways to what a comparison says of them."""

import math
from typing import Any

import numpy as np

from gan_lab.report.comparison import CandidateSummary, Comparison
from gan_lab.report.comparison.scores import Floats

INF = math.inf


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def normal_scores(candidates: int, seeds: int, seed: int = 0, **shifts: float) -> dict[str, Floats]:
    """Draw standard normal scores (S,) of candidates c0, c1, ..., each shifted by its keyword."""
    draw = rng(seed)
    names = [f"c{i}" for i in range(candidates)]
    return {name: draw.normal(size=seeds) + shifts.get(name, 0.0) for name in names}


def by_name(comparison: Comparison) -> dict[str, CandidateSummary]:
    return {one.name: one for one in comparison.candidates}


def leaves(value: Any) -> list[Any]:
    """List the leaves of nested dictionaries, lists and tuples."""
    if isinstance(value, dict):
        return [leaf for child in value.values() for leaf in leaves(child)]
    if isinstance(value, (list, tuple)):
        return [leaf for child in value for leaf in leaves(child)]
    return [value]
