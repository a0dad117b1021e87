"""Axes that follow the data, and labels that do not overprint."""

from typing import Any

import pytest

from gan_lab.report.axes import is_geometric, is_log, padded, split_anchors
from gan_lab.report.figures import curves_together, forest_plot
from gan_lab.report.style import PALETTE, new_figure

METRIC = {"name": "fid", "direction": "min"}


def anchored(real: float | None, untrained: float | None) -> dict[str, Any]:
    return {
        "anchors": {
            "real_data": None if real is None else {"mean": real},
            "untrained": None if untrained is None else {"iqm": untrained},
        }
    }


def test_a_score_far_from_the_data_goes_beyond_a_break() -> None:
    near, far = split_anchors(anchored(95.0, 5000.0), [100.0, 110.0, 140.0])
    assert (near, far) == ({"real data": 95.0}, {"untrained": 5000.0})
    assert split_anchors(anchored(None, None), [1.0, 2.0]) == ({}, {})


def test_a_score_never_makes_the_axis_logarithmic() -> None:
    values = [100.0, 550.0]
    assert not is_log(values)
    near, far = split_anchors(anchored(19.0, 520.0), values)
    assert (near, far) == ({"untrained": 520.0}, {"real data": 19.0})


@pytest.mark.parametrize(
    ("values", "geometric"),
    [
        ([5e-5, 2e-4, 8e-4], True),
        ([8.0, 16.0, 32.0], True),
        ([1e-4, 3e-4, 1e-3], True),
        ([1e-4, 2e-3], True),
        ([1.0, 2.0], False),
        ([0.1, 0.2, 0.3, 0.4], False),
        ([0.0, 1.0, 100.0], False),
        ([3.0, 3.0], False),
        ([], False),
    ],
)
def test_keys_that_were_varied_by_factors_are_drawn_so(values: list[float], geometric: bool) -> None:
    assert is_geometric(values) == geometric


def test_limits_are_those_of_the_data_and_never_empty() -> None:
    assert padded([1.0, 3.0], 0.05, log=False) == pytest.approx((0.9, 3.1))
    assert padded([1.0, 100.0], 0.5, log=True) == pytest.approx((0.1, 1000.0))
    low, high = padded([0.0, 0.0], 0.05, log=False)
    assert low < 0 < high


def a_setting(steps: list[int]) -> dict[str, Any]:
    scores = [{"value": value} for value in (100.0, 104.0)]
    row = {
        "name": "elu",
        "iqm": 102.0,
        "interval": [100.0, 104.0],
        "rank": 1,
        "scores": scores,
        "diverged": 0,
        "seeds": 2,
    }
    curve = {"step": steps, "iqm": [102.0] * len(steps)}
    return {"rows": [row], "unranked": [], "order": ["elu"], "curves": {"elu": curve}, **anchored(19.0, None)}


def test_the_forest_plot_has_a_panel_for_far_real_data_and_its_axis_follows_the_seeds() -> None:
    figure = forest_plot(a_setting([2000]), METRIC)
    panel, main = figure.axes
    low, high = main.get_xlim()
    assert 99 < low < 100 < 104 < high < 105
    assert [text.get_text() for text in panel.get_xticklabels()] == ["19.0"]


def test_one_evaluation_is_a_dot_on_an_axis_that_names_it() -> None:
    figure = curves_together(a_setting([2000]), METRIC)
    assert figure is not None
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["2000"]
    assert axes.lines[0].get_marker() == "o"
    assert curves_together({**a_setting([]), "anchors": anchored(None, None)["anchors"]}, METRIC) is None


def test_figures_do_not_pile_up_in_pyplot() -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    new_figure(1, 1)
    assert plt.get_fignums() == before


def test_of_many_candidates_those_beyond_the_best_are_a_band_and_no_mush() -> None:
    setting = a_setting([1000, 2000])
    names = [f"a{k}" for k in range(100)]
    setting["curves"] = {
        name: {"step": [1000, 2000], "iqm": [200.0 + k, 100.0 + k]} for k, name in enumerate(names)
    }
    figure = curves_together({**setting, "order": names}, METRIC)
    assert figure is not None
    (axes,) = figure.axes
    assert len(axes.lines) == len(PALETTE)
    assert len(axes.collections) == 2
    low, high = axes.get_ylim()
    assert low < 100 < 290 < high
