"""Performance profiles by hand."""

import numpy as np

from gan_lab.report.comparison import performance_profiles
from tests.helpers.studies import INF


def test_a_performance_profile_is_the_share_of_runs_above_a_threshold_as_in_rliable() -> None:
    """rliable's `run_score_deviation`: mean over runs and tasks of score > tau."""
    study = {"a": [np.array([0.0, 1.0]), np.array([2.0, -INF])], "b": [np.full(2, 1.0), np.full(2, 1.0)]}
    profiles = performance_profiles(study, [-1.0, 0.5, 1.0, 3.0])
    assert profiles["a"].share == [0.75, 0.5, 0.25, 0.0]
    assert profiles["b"].share == [1.0, 1.0, 0.0, 0.0]
    thresholds = performance_profiles(study)["a"].thresholds
    assert (len(thresholds), thresholds[0], thresholds[-1]) == (101, 0.0, 2.0)
    assert performance_profiles({"a": [np.full(3, -INF)]})["a"].share == [0.0] * 101
