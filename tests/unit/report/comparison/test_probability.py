"""P(A beats B) and its interval, against the formulas and by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import optimize, stats

from gan_lab.report.comparison.bootstrap import Interval
from gan_lab.report.comparison.probability import (
    mean_probability_interval,
    probability_better,
    probability_better_interval,
)
from gan_lab.report.comparison.scores import Floats
from tests.helpers.studies import INF, rng


def test_probability_better_is_mann_whitneys_u_over_the_pairs_as_in_rliable() -> None:
    """rliable's `probability_of_improvement` is U / (n m)."""
    x, y = rng(1).integers(0, 6, 9).astype(float), rng(2).integers(0, 6, 7).astype(float)
    assert probability_better(x, y) == pytest.approx(stats.mannwhitneyu(x, y).statistic / 63)
    assert probability_better(x, x) == 0.5
    assert probability_better(np.full(2, -INF), np.full(3, -INF)) == 0.5
    assert probability_better(np.zeros(2), np.full(3, -INF)) == 1


def brunner_munzel_variance(x: Floats, y: Floats) -> float:
    """From ranks, as in Brunner & Munzel (2000), of the estimate of P(X > Y)."""
    n, m = len(x), len(y)
    pooled = stats.rankdata(np.concatenate([x, y]))
    total = 0.0
    for own, within, size, other in ((pooled[:n], x, n, m), (pooled[n:], y, m, n)):
        placements = own - stats.rankdata(within)
        total += placements.var(ddof=1) / (size * other**2)
    return float(total)


@pytest.mark.parametrize(
    ("n", "m", "shift", "spread"), [(5, 5, 0.4, 1), (8, 10, 1, 3), (20, 20, -2, 1), (6, 6, 9, 1)]
)
def test_the_score_interval_solves_its_equation(n: int, m: int, shift: float, spread: float) -> None:
    x, y = rng(n).normal(shift, spread, size=n), rng(m + 50).normal(size=m)
    p, half = probability_better(x, y), (n + m) / 2 - 1
    q = min(max(p, 0.5 / (n * m)), 1 - 0.5 / (n * m))
    r = min(brunner_munzel_variance(x, y) / (q * (1 - q)), 1 / min(n, m))

    def excess(theta: float) -> float:
        hanley = (1 + half * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (n * m)
        return abs(theta - p) - 1.959964 * math.sqrt(theta * (1 - theta) * max(hanley, r))

    low, high = probability_better_interval(x, y)
    assert low == pytest.approx(0 if p == 0 else optimize.brentq(excess, 1e-9, p - 1e-6), abs=2e-4)
    assert high == pytest.approx(1 if p == 1 else optimize.brentq(excess, p + 1e-6, 1 - 1e-9), abs=2e-4)


def test_unequal_numbers_of_seeds_take_wilsons_interval_with_effective_seeds() -> None:
    x, y = rng(1).normal(1, size=5), rng(2).normal(size=20)
    p = probability_better(x, y)
    seeds = min(max(p * (1 - p) / brunner_munzel_variance(x, y), 5), 3 * 100 / 25)
    z = stats.t.ppf(0.975, 23)
    roots = np.roots([1 + z**2 / seeds, -(2 * p + z**2 / seeds), p**2])  # (p - t)^2 = z^2 t (1 - t) / N
    assert probability_better_interval(x, y) == pytest.approx(sorted(roots))


@pytest.mark.parametrize("sizes", list(itertools.product((1, 2, 5, 10), repeat=2)))
def test_the_interval_holds_the_estimate_and_has_a_width_even_where_all_is_equal(
    sizes: tuple[int, int],
) -> None:
    n, m = sizes
    for x, y in (
        (np.zeros(n), np.zeros(m)),
        (np.ones(n), np.zeros(m)),
        (np.full(n, -INF), np.zeros(m)),
        (rng(n).normal(size=n), rng(m).normal(size=m)),
    ):
        low, high = probability_better_interval(x, y)
        assert 0 <= low <= probability_better(x, y) <= high <= 1
        assert high - low > 0.1


def test_the_mean_over_settings_combines_the_intervals() -> None:
    """MOVER: distances from estimates to ends add in squares."""
    shares = np.array([0.5, 0.9])
    interval = mean_probability_interval(shares, [Interval(0.2, 0.8), Interval(0.5, 1.0)])
    assert interval == pytest.approx((0.7 - math.hypot(0.3, 0.4) / 2, 0.7 + math.hypot(0.3, 0.1) / 2))
    assert mean_probability_interval(shares[:1], [Interval(0.2, 0.8)]) == pytest.approx((0.2, 0.8))
