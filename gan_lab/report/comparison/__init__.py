"""Statistical comparison of candidates from per-seed scores.

One array shape everywhere: the scores of one candidate in one setting are a float64 array of shape (S,), one
number per seed. Higher is better; -inf marks a seed that diverged, which ranks last and is never dropped. A
`Study` maps each candidate to a list of such arrays, one per setting (a data set, or whatever else was
varied); all candidates have the same settings in the same order. Seeds are independent samples: the same seed
under two candidates does not make a pair.

``compare`` is the verdict in one setting, ``compare_settings`` that over several, ``compare_tuned`` that over
values of a tuning key; ``learning_test`` tells who learned at all and ``order_trend`` whether the order will
hold. All return plain dataclasses; every random number comes from the seed that they are given.
"""

from gan_lab.report.comparison.across_settings import (
    OverallSummary,
    Reversal,
    SettingsComparison,
    compare_settings,
)
from gan_lab.report.comparison.bootstrap import Interval
from gan_lab.report.comparison.claims import FEWEST_SEEDS, WinnerTest, WorseTest, winner_test, worse_test
from gan_lab.report.comparison.compare import CandidateSummary, Comparison, compare
from gan_lab.report.comparison.equivalence import EquivalenceTest, Margin, equivalence_test
from gan_lab.report.comparison.learning import LearningTest, learning_test
from gan_lab.report.comparison.overall import Behind, OverallTest, overall_test
from gan_lab.report.comparison.permutation import holm, permutation_test, smallest_seeds
from gan_lab.report.comparison.power import minimum_detectable_effect, required_seeds, selection_bias
from gan_lab.report.comparison.probability import probability_better, probability_better_interval
from gan_lab.report.comparison.profiles import Profile, performance_profiles
from gan_lab.report.comparison.scores import Scale, Study, finite_iqm, iqm, orient_scores
from gan_lab.report.comparison.trend import Trend, order_trend
from gan_lab.report.comparison.tuning import TunedCandidate, TunedComparison, compare_tuned

__all__ = [
    "FEWEST_SEEDS",
    "Behind",
    "CandidateSummary",
    "Comparison",
    "EquivalenceTest",
    "Interval",
    "LearningTest",
    "Margin",
    "OverallSummary",
    "OverallTest",
    "Profile",
    "Reversal",
    "Scale",
    "SettingsComparison",
    "Study",
    "Trend",
    "TunedCandidate",
    "TunedComparison",
    "WinnerTest",
    "WorseTest",
    "compare",
    "compare_settings",
    "compare_tuned",
    "equivalence_test",
    "finite_iqm",
    "holm",
    "iqm",
    "learning_test",
    "minimum_detectable_effect",
    "order_trend",
    "orient_scores",
    "overall_test",
    "performance_profiles",
    "permutation_test",
    "probability_better",
    "probability_better_interval",
    "required_seeds",
    "selection_bias",
    "smallest_seeds",
    "winner_test",
    "worse_test",
]
