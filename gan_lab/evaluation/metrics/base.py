"""What a metric is given, and what it promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor


@dataclass(frozen=True)
class FeatureBatch:
    """Hold what metrics see of N samples, all on the CPU.

    features: (N, d) float64; logits: (N, K) float64 of a classifier, (N, C, K) where each channel is
    classified by itself, or None; modes: centers (K, 2) and standard deviation of the mixture that real
    samples are drawn from, or None.
    """

    features: Tensor
    logits: Tensor | None = None
    modes: tuple[Tensor, float] | None = None

    def __len__(self) -> int:
        return len(self.features)

    @classmethod
    def concatenate(cls, parts: "Sequence[FeatureBatch]") -> "FeatureBatch":
        """Join parts that were extracted one after another."""
        logits = [part.logits for part in parts if part.logits is not None]
        features = torch.cat([part.features for part in parts])
        return cls(features, torch.cat(logits) if logits else None, parts[0].modes)

    @property
    def finite(self) -> bool:
        return bool(self.features.isfinite().all())


class ScoreSpec(NamedTuple):
    """How a score is read.

    direction: whether it is best at its "min" or its "max"; worst_value: None if it has no bound; meaning,
    range: for the glossary of a report, in a sentence and a few words; squared: whether it is a squared
    distance, which is to be averaged over data sets as a logarithm.
    """

    direction: Literal["min", "max"]
    worst_value: float | None = None
    meaning: str = ""
    range: str = ""
    squared: bool = False


class Metric(ABC):
    """Scores of generated samples; the first of ``score_specs`` is the one that may decide a comparison."""

    score_specs: ClassVar[Mapping[str, ScoreSpec]]

    def why_not_applicable(self, real: FeatureBatch) -> str | None:
        """Say why this metric does not apply to data such as ``real``; None if it does."""
        return None

    @abstractmethod
    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        """Compute one number for each of ``score_specs``, in float64; None if it is not defined."""


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    """(N, d), (M, d) -> (N, M) squared Euclidean distances, without the cancellation of |x|² - 2xy + |y|²."""
    distances: Tensor = torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.square()
