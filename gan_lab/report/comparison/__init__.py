"""Which candidate is better, by how much, and how surely: scores in, numbers out.

Scores are float64 arrays of shape (S,), one number a seed, higher is better, -inf where a seed failed: such
a seed ranks last and is never dropped. A study maps each candidate to one such array a setting (a data set,
or whatever else was varied); all candidates have the same settings in the same order, usually one. Seeds are
independent samples: the same seed under two candidates says nothing about both. ``compare`` does it all;
every random number comes from the seed that it records.
"""

from gan_lab.report.comparison.bootstrap import Interval, bootstrap_interval, improvement
from gan_lab.report.comparison.compare import Candidate, Comparison, compare
from gan_lab.report.comparison.permutation import holm, permutation_test
from gan_lab.report.comparison.power import detectable_effect, seeds_to_separate, spread, winner_bias
from gan_lab.report.comparison.profiles import Profile, performance_profiles
from gan_lab.report.comparison.scores import Study, iqm, normalize, orient

__all__ = [
    "Candidate",
    "Comparison",
    "Interval",
    "Profile",
    "Study",
    "bootstrap_interval",
    "compare",
    "detectable_effect",
    "holm",
    "improvement",
    "iqm",
    "normalize",
    "orient",
    "performance_profiles",
    "permutation_test",
    "seeds_to_separate",
    "spread",
    "winner_bias",
]
