"""Performance profiles by hand."""

import numpy as np

from gan_lab.report import comparison as statistics
from tests.helpers.studies import INF


def test_performance_profile() -> None:
    study = {"a": [np.array([0.0, 1.0]), np.array([2.0, -INF])], "b": [np.full(2, 1.0), np.full(2, 1.0)]}
    found = statistics.performance_profiles(study, [-1.0, 0.5, 1.0, 3.0])
    assert found["a"].share == [0.75, 0.5, 0.25, 0.0]
    assert found["b"].share == found["b"].low == found["b"].high == [1.0, 1.0, 0.0, 0.0]
    for low, share, high in zip(found["a"].low, found["a"].share, found["a"].high, strict=True):
        assert 0 <= low <= share <= high <= 1
    # Each setting keeps its runs: with the failed one drawn twice or not at all, half to all are above -1.
    assert (found["a"].low[0], found["a"].high[0]) == (0.5, 1.0)
    ends = statistics.performance_profiles(study)["a"].thresholds
    assert (len(ends), ends[0], ends[-1]) == (101, 0.0, 2.0)
