"""Scores from features: every metric of a run, against the same real samples."""

import math
from collections.abc import Callable, Mapping, Sequence

from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec
from gan_lab.utils.seeding import seeded
from gan_lab.utils.threads import single_threaded

Scores = dict[str, float | None]
OnFailure = Callable[[str, BaseException], None]


class Scorer:
    """Score features of generated samples against those of real ones, on one thread of the CPU.

    All that it needs is in it, so that a process of its own can do it, with the same numbers.
    """

    def __init__(self, metrics: Mapping[str, Metric], real: FeatureBatch) -> None:
        self.metrics, self.real = dict(metrics), real
        self.score_specs: dict[str, ScoreSpec] = {
            name: spec for metric in self.metrics.values() for name, spec in metric.score_specs.items()
        }

    def __call__(self, parts: Sequence[FeatureBatch], on_failure: OnFailure) -> Scores:
        """Apply every metric to the parts together; all scores are None if a sample is not finite.

        Each metric draws on a stream of its own, so the choice of others does not change its scores. One that
        fails is passed to ``on_failure`` with its name, and its scores are left out.
        """
        fake = FeatureBatch.concatenate(parts)
        if not fake.finite:
            return dict.fromkeys(self.score_specs)
        scores: Scores = {}
        with single_threaded():
            for name, metric in self.metrics.items():
                try:
                    with seeded(0, f"metrics/{name}"):
                        scores |= _checked_scores(metric, fake, self.real)
                except Exception as error:
                    on_failure(name, error)
        return scores


def _checked_scores(metric: Metric, fake: FeatureBatch, real: FeatureBatch) -> Scores:
    """Apply a metric; raise `ValueError` for scores that it does not declare and for features it changes."""
    tensors = [t for batch in (fake, real) for t in (batch.features, batch.logits) if t is not None]
    versions = [tensor._version for tensor in tensors]
    scores = metric(fake, real)
    if [tensor._version for tensor in tensors] != versions:
        raise ValueError("it changes the features that it is given, which other metrics read too")
    if scores.keys() != metric.score_specs.keys():
        declared = ", ".join(metric.score_specs)
        raise ValueError(f"it returns {', '.join(scores)}, and its score_specs declare {declared}")
    return {n: float(v) if v is not None and math.isfinite(v) else None for n, v in scores.items()}
