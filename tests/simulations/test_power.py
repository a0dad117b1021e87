"""Whether sentences about power are right: within five points, of the test that is used."""

import numpy as np
import pytest
from scipy import stats

from gan_lab.report.comparison import minimum_detectable_effect, permutation_test, required_seeds
from gan_lab.report.comparison.brunner_munzel import brunner_munzel
from gan_lab.report.comparison.permutation import critical_value, untied_maxima
from gan_lab.report.comparison.power import pair_critical_value

STUDIES = 2_000
MARGIN = 0.05 + 3.1 * (0.8 * 0.2 / STUDIES) ** 0.5


@pytest.mark.parametrize(("n", "m"), [(5, 5), (6, 6), (8, 8), (10, 10), (8, 12), (16, 16), (24, 24)])
def test_the_detectable_effect_of_a_pair_is_found_four_times_out_of_five(n: int, m: int) -> None:
    effect = minimum_detectable_effect(n, m, pair_critical_value(n, m))
    assert effect is not None
    rng = np.random.default_rng([n, m, 1])
    found = [
        permutation_test(rng.normal(effect, 1, size=n), rng.standard_normal(m)) <= 0.05
        for _ in range(STUDIES)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=MARGIN)


@pytest.mark.parametrize(("candidates", "seeds"), [(7, 8), (7, 16), (12, 20), (4, 60)])
def test_the_detectable_effect_among_many_is_found_four_times_out_of_five(
    candidates: int, seeds: int
) -> None:
    critical = critical_value(np.asarray(untied_maxima(candidates, seeds)[:, -1]), 0.05)
    effect = minimum_detectable_effect(seeds, seeds, critical)
    assert effect is not None
    rng = np.random.default_rng([candidates, seeds, 1])
    found = [
        brunner_munzel([rng.normal(effect, 1, size=seeds), rng.standard_normal(seeds)])[0, 1]
        > critical * (1 + 1e-9)
        for _ in range(STUDIES)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=MARGIN)


@pytest.mark.parametrize("effect", [0.8, 1.2, 2.0])
def test_as_many_seeds_as_are_said_to_be_required_suffice_four_times_out_of_five(effect: float) -> None:
    """For a difference that is as large as it looked."""
    quantiles = stats.norm.ppf((np.arange(1_000) + 0.5) / 1_000)
    seeds = required_seeds(quantiles + effect, quantiles)
    assert seeds is not None
    rng = np.random.default_rng(int(10 * effect))
    found = [
        permutation_test(rng.normal(effect, 1, size=seeds), rng.standard_normal(seeds)) <= 0.05
        for _ in range(STUDIES)
    ]
    assert 0.8 - MARGIN <= np.mean(found) <= 0.8 + MARGIN
