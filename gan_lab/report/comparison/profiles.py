"""Performance profiles: the share of a candidate's runs above any threshold, over several settings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gan_lab.report.comparison.scores import Study, check_study


@dataclass(frozen=True)
class Profile:
    """The share of a candidate's runs above each of T thresholds: two lists of length T."""

    thresholds: list[float]
    share: list[float]


def performance_profiles(study: Study, thresholds: Sequence[float] | None = None) -> dict[str, Profile]:
    """Compute F(tau) = share of a candidate's runs, over all settings, with a score above tau.

    Agarwal et al. (2021). Scores of all settings must be on one scale (`Scale`). Without ``thresholds``, 101
    from the lowest to the highest finite score.
    """
    runs = {name: np.concatenate(settings) for name, settings in check_study(study).items()}
    if thresholds is None:
        pooled = np.concatenate(list(runs.values()))
        finite = pooled[np.isfinite(pooled)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
        thresholds = [float(t) for t in np.linspace(low, high, 101)]
    return {
        name: Profile(list(thresholds), [float((scores > t).mean()) for t in thresholds])
        for name, scores in runs.items()
    }
