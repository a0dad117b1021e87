"""Scores: higher is better, -inf has failed; their interquartile mean, and one scale for several settings."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from gan_lab.utils.errors import ConfigurationError

Floats: TypeAlias = NDArray[np.float64]
Study: TypeAlias = Mapping[str, Sequence[Floats]]


def orient_scores(values: Iterable[float | None], direction: str, worst: float | None = None) -> Floats:
    """Scores (S,) of which higher is better: negated where ``direction`` is "min".

    Whatever is no finite number (None, NaN, either infinity) has failed and becomes -inf, below all that
    can be reached. A finite value beyond ``worst``, the bound of the metric, is a matter of rounding and is
    set to it. Any ``direction`` but "min" and "max" raises `ConfigurationError`.
    """
    if direction not in ("min", "max"):
        raise ConfigurationError(f'direction must be "min" or "max", got {direction!r}')
    sign = -1.0 if direction == "min" else 1.0
    bound = -math.inf if worst is None else sign * worst
    return np.array(
        [-math.inf if v is None or not math.isfinite(v) else max(sign * v, bound) for v in values],
        dtype=np.float64,
    )


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean, the mean without the lowest and highest quarter (``int(S / 4)`` scores each).

    Robust to a lucky or a failed seed, and less wasteful than the median (Agarwal et al. 2021,
    arXiv:2108.13264). Under four scores nothing is cut. -inf as soon as one of the middle half has failed.
    """
    return float(interquartile_means(np.asarray(scores, dtype=np.float64)))


def interquartile_means(scores: Floats) -> Floats:
    """(..., S) -> (...), exactly c where all S scores are c: rounding must not rank equals."""
    means = stats.trim_mean(scores, 0.25, axis=-1)
    return np.clip(np.asarray(means, dtype=np.float64), scores.min(axis=-1), scores.max(axis=-1))


def mean(scores: Floats) -> float:
    return float(np.clip(scores.mean(), scores.min(), scores.max()))


def check_study(study: Study) -> dict[str, list[Floats]]:
    """The study as float64 arrays, or `ConfigurationError` where it is none."""
    arrays = {name: [np.asarray(s, dtype=np.float64) for s in own] for name, own in study.items()}
    counts = {name: len(own) for name, own in arrays.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise ConfigurationError(
            f"every candidate needs scores in the same settings, at least one, got {counts}"
        )
    for name, own in arrays.items():
        for scores in own:
            if scores.ndim != 1 or not len(scores):
                raise ConfigurationError(
                    f"scores of {name} must be one number per seed, got shape {scores.shape}"
                )
            if np.isnan(scores).any() or np.isposinf(scores).any():
                raise ConfigurationError(
                    f"scores of {name} must be finite or -inf (`orient_scores` makes them so)"
                )
    return arrays


def normalize_scores(
    study: Study, scales: Sequence[tuple[float, float]] | None = None
) -> dict[str, list[Floats]]:
    """Scores of every setting on one scale, (x - zero) / (one - zero), finite.

    ``scales`` gives (zero, one) for each setting, oriented, such as noise and real data; without it they are
    the 5 % and 95 % quantiles of the setting's finite scores over all candidates, or their ends where
    the quantiles coincide. A failed score becomes the setting's worst finite one minus the range of the
    finite ones (minus one - zero where they are all the same; zero where all failed), so that it still ranks
    last and means stay finite.
    """
    arrays = check_study(study)
    columns = []
    for k, own in enumerate(zip(*arrays.values(), strict=True)):
        pooled = np.concatenate(own)
        finite = pooled[np.isfinite(pooled)]
        zero, one = scales[k] if scales is not None else _ends(finite)
        if not zero < one:
            raise ConfigurationError(f"scales must be pairs (zero, one) with zero < one, got {scales}")
        lowest = finite.min() - (np.ptp(finite) or one - zero) if len(finite) else zero
        columns.append([(np.where(np.isfinite(s), s, lowest) - zero) / (one - zero) for s in own])
    return {name: [column[i] for column in columns] for i, name in enumerate(arrays)}


def _ends(finite: Floats) -> tuple[float, float]:
    """Zero and one of a setting, from its finite scores."""
    if not len(finite):
        return 0.0, 1.0
    low, high = (float(end) for end in np.quantile(finite, (0.05, 0.95)))
    if low == high:
        low, high = float(finite.min()), float(finite.max())
    return (low, high) if low < high else (low, low + 1.0)
