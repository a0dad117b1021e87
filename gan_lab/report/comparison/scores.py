"""Scores, higher is better, -inf has diverged: orientation, interquartile mean, and scales of settings."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gan_lab.utils.errors import ConfigurationError

Floats: TypeAlias = NDArray[np.float64]
Study: TypeAlias = Mapping[str, Sequence[Floats]]


def orient_scores(values: Iterable[float | None], direction: str, worst: float | None = None) -> Floats:
    """Turn a metric's values into scores (S,), higher is better: negated where ``direction`` is "min".

    Whatever is no finite number (None, NaN, either infinity) has diverged and becomes -inf, below all that
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
    """Compute the interquartile mean of scores (S,), the mean without the lowest and highest int(S / 4) ones.

    Robust to a lucky or a diverged seed, and less wasteful than the median (Agarwal et al. 2021,
    arXiv:2108.13264). Under four scores nothing is cut. -inf as soon as one of the middle half has diverged.
    """
    return float(interquartile_means(np.asarray(scores, dtype=np.float64)))


def interquartile_means(scores: Floats) -> Floats:
    """Compute IQMs, (..., S) -> (...); exactly c where all S scores are c: rounding must not rank equals."""
    seeds = scores.shape[-1]
    cut = seeds // 4
    middle = np.sort(scores, axis=-1)[..., cut : seeds - cut]
    return np.asarray(np.clip(middle.mean(axis=-1), middle[..., 0], middle[..., -1]))


def mean(scores: Floats) -> float:
    """Compute the mean of scores (S,), exactly c where all are c."""
    return float(np.clip(scores.mean(), scores.min(), scores.max()))


def finite_iqm(scores: Floats) -> float | None:
    """Compute the IQM of the seeds that did not diverge; None where all did."""
    finite = scores[np.isfinite(scores)]
    return iqm(finite) if len(finite) else None


def merit(scores: Floats) -> tuple[float, ...]:
    """Return what orders candidates, higher is better: IQM, and among equal ones more.

    Among equal IQMs, -inf above all: the share of seeds that did not diverge, their IQM, median and mean.
    """
    finite = np.isfinite(scores)
    of_finite = finite_iqm(scores)
    return (
        iqm(scores),
        float(finite.mean()),
        -math.inf if of_finite is None else of_finite,
        float(np.median(scores)),
        mean(scores),
    )


def order_of(samples: Sequence[Floats]) -> NDArray[np.intp]:
    """Number K samples by `merit`, 0 for the lowest and equals alike, (K,)."""
    alike = len({len(s) for s in samples}) == 1
    iqms = interquartile_means(np.stack(samples)).tolist() if alike else [iqm(s) for s in samples]
    merits: list[tuple[float, ...]] = [(value,) for value in iqms]
    if len(set(merits)) < len(merits):
        merits = [merit(s) for s in samples]
    numbers = {value: i for i, value in enumerate(sorted(set(merits)))}
    return np.array([numbers[value] for value in merits])


def check_study(study: Study) -> dict[str, list[Floats]]:
    """Convert a study to float64 arrays; raise `ConfigurationError` where shapes or values are wrong."""
    arrays = {name: [np.asarray(s, dtype=np.float64) for s in settings] for name, settings in study.items()}
    counts = {name: len(settings) for name, settings in arrays.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise ConfigurationError(
            f"every candidate needs scores in the same settings, at least one, got {counts}"
        )
    for k in range(next(iter(counts.values()), 0)):
        check_scores({name: settings[k] for name, settings in arrays.items()})
    return arrays


def check_scores(scores: Mapping[str, Floats]) -> dict[str, Floats]:
    """Convert every candidate's scores (S,) to float64; raise `ConfigurationError` where they are none."""
    arrays = {name: np.asarray(s, dtype=np.float64) for name, s in scores.items()}
    for name, array in arrays.items():
        if array.ndim != 1 or not len(array):
            raise ConfigurationError(f"scores of {name} must be one number per seed, got shape {array.shape}")
        if np.isnan(array).any() or np.isposinf(array).any():
            raise ConfigurationError(
                f"scores of {name} must be finite or -inf (`orient_scores` makes them so)"
            )
    return arrays


class Scale(NamedTuple):
    """A setting's fixed scale: 0 is the score of an untrained generator, 1 that of real data, both oriented.

    log: measure the way from one to the other in logarithms of the metric, for squared distances.
    """

    untrained: float
    real: float
    log: bool = False

    def __call__(self, scores: Floats) -> Floats:
        """Map oriented scores to [0, 1]; below untrained, or diverged, is 0, and above real data 1.

        So no candidate's score depends on another's, and no failure outweighs all else. Raises
        `ConfigurationError` where real data do not score higher than an untrained generator, or ``log`` is
        asked for of a metric that is not positive.
        """
        if not self.untrained < self.real or (self.log and not self.real < 0):
            raise ConfigurationError(
                "a scale needs real data that score better than an untrained generator, and positive values "
                f"where it is logarithmic, got {self}"
            )
        clipped = np.clip(scores, self.untrained, self.real)
        if self.log:
            return np.asarray(np.log(clipped / self.untrained) / math.log(self.real / self.untrained))
        return np.asarray((clipped - self.untrained) / (self.real - self.untrained))
