"""Performance profiles: how often a candidate's runs do better than any threshold, over several settings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan_lab.report.comparison.bootstrap import Resamples, percentile_interval
from gan_lab.report.comparison.compare import make_rng
from gan_lab.report.comparison.scores import Study, check_study


@dataclass(frozen=True)
class Profile:
    """Share of runs above each threshold, with a pointwise bootstrap band."""

    thresholds: list[float]
    share: list[float]
    low: list[float]
    high: list[float]


def performance_profiles(
    study: Study,
    thresholds: Sequence[float] | None = None,
    *,
    seed: int = 0,
    resamples: int = 2_000,
    level: float = 0.95,
) -> dict[str, Profile]:
    """F(tau) = share of a candidate's runs, over all settings, with a score above tau (Agarwal et al. 2021).

    Scores of all settings must be on one scale (`normalize_scores`). Without ``thresholds``, 101 from the
    lowest to the highest finite score. Runs are resampled within their setting.
    """
    arrays = check_study(study)
    if thresholds is None:
        pooled = np.concatenate([scores for own in arrays.values() for scores in own])
        finite = pooled[np.isfinite(pooled)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        thresholds = [float(t) for t in np.linspace(low, high, 101)]
    profiles = {}
    for name, own in arrays.items():
        drawn = Resamples.draw(own, resamples, make_rng(seed, "profile", name)).pooled()
        runs = np.concatenate(own)
        band = [percentile_interval((drawn > t).mean(axis=1), level) for t in thresholds]
        profiles[name] = Profile(
            list(thresholds),
            [float((runs > t).mean()) for t in thresholds],
            [interval.low for interval in band],
            [interval.high for interval in band],
        )
    return profiles
