"""Statistical comparison of candidates from per-seed scores.

One array shape everywhere: the scores of one candidate in one setting are a float64 array of shape (S,), one
number per seed. Higher is better; -inf marks a seed that diverged, which ranks last and is never dropped. A
`Study` maps each candidate to a list of such arrays, one per setting (a data set, or whatever else was
varied); all candidates have the same settings in the same order, usually one. Seeds are independent samples:
the same seed under two candidates does not make a pair. ``compare`` runs the whole comparison; every random
number comes from the seed that it records.
"""

from gan_lab.report.comparison.bootstrap import Interval, bootstrap_interval, probability_better
from gan_lab.report.comparison.compare import CandidateSummary, Comparison, compare
from gan_lab.report.comparison.permutation import holm, permutation_test
from gan_lab.report.comparison.power import (
    minimum_detectable_effect,
    pooled_sd,
    required_seeds,
    selection_bias,
)
from gan_lab.report.comparison.profiles import Profile, performance_profiles
from gan_lab.report.comparison.scores import Study, iqm, normalize_scores, orient_scores

__all__ = [
    "CandidateSummary",
    "Comparison",
    "Interval",
    "Profile",
    "Study",
    "bootstrap_interval",
    "compare",
    "holm",
    "iqm",
    "minimum_detectable_effect",
    "normalize_scores",
    "orient_scores",
    "performance_profiles",
    "permutation_test",
    "pooled_sd",
    "probability_better",
    "required_seeds",
    "selection_bias",
]
