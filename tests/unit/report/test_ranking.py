"""The numbers of a ranking, and those beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gan_lab.runs.sittings import Sitting
from tests.helpers.reports import make_three, ranked, report_on, row
from tests.helpers.synthetic import SITES, STEPS, draws, make_run, metric


def test_a_clear_winner_is_named_with_its_p_value_and_offered_fresh_seeds(study: Path) -> None:
    make_three(study)
    report = report_on(study)
    verdict = report["verdict"]
    assert verdict["winner"] == "elu"
    assert "elu is the best of 3 candidates by fid: " in verdict["text"]
    (claim,) = [one for one in verdict["sentences"] if one["kind"] == "claim"]
    assert ", p < 0.001 against every other." in claim["text"]
    assert set(claim["p"]) == {"relu", "tanh"}
    assert max(claim["p"].values()) == report["settings"][0]["tests"]["winner"]["p"]
    assert not verdict["exploratory"]
    command = "gan-lab train activation=elu seed=10 seeds=10 study=study_fresh"
    assert verdict["rerun"] == {"name": "elu", "commands": [command]}
    assert "fresh seeds" in verdict["bias"]


def test_equals_are_a_tie_and_no_one_wins(study: Path) -> None:
    same = draws(2, 0.3, 10, 1)
    make_run(study, "elu", same)
    make_run(study, "relu", same[::-1])
    make_run(study, "tanh", draws(9, 0.3, 10, 2))
    verdict = report_on(study)["verdict"]
    assert verdict["winner"] is None
    assert sorted(verdict["tied"]) == ["elu", "relu"]
    assert verdict["worse"] == ["tanh"]
    assert verdict["text"].startswith(
        "No winner among 3 candidates by fid: elu and relu cannot be told apart"
    )
    assert "tanh scored worse (p < 0.001)" in verdict["text"]
    assert "elu and relu score equally best by fid" in verdict["text"]


def test_under_five_seeds_a_report_is_exploratory(study: Path) -> None:
    make_three(study, seeds=4)
    report = report_on(study)
    assert report["verdict"]["exploratory"]
    assert report["verdict"]["winner"] is None
    assert report["verdict"]["text"].startswith("Exploratory, 4 seeds each: elu scores best by fid")
    for one in report["settings"][0]["rows"]:
        assert (one["p"], one["p_holm"], one["p_winner"], one["p_worse"]) == (None, None, None, None)


def test_one_candidate_with_few_seeds_does_not_take_the_tests_from_the_others(study: Path) -> None:
    make_three(study)
    make_run(study, "mish", draws(7, 0.3, 4, 8))
    report = report_on(study)
    assert report["verdict"]["winner"] == "elu"
    assert not report["verdict"]["exploratory"]
    assert row(report, "mish")["exploratory"]
    assert row(report, "tanh")["p_holm"] < 0.05
    assert row(report, "mish")["p_holm"] is None


def test_a_single_candidate_has_nothing_to_compare_with(study: Path) -> None:
    make_run(study, "relu", draws(2, 0.1, 6, 1))
    text = report_on(study)["verdict"]["text"]
    assert text.startswith("Only relu was tried: fid ")
    assert text.endswith("6 seeds; there is nothing to compare it with.")


def test_numbers_stand_in_the_metrics_own_units_and_direction(study: Path) -> None:
    make_three(study)
    report = report_on(study)
    elu, relu, tanh = (row(report, name) for name in ("elu", "relu", "tanh"))
    assert elu["iqm"] == pytest.approx(stats.trim_mean(draws(1.0, 0.3, 10, 0), 0.25))
    assert elu["interval"][0] < elu["iqm"] < elu["interval"][1]
    assert elu["difference"] == pytest.approx(elu["iqm"] - relu["iqm"])
    assert elu["difference_interval"][0] < elu["difference"] < elu["difference_interval"][1] < 0
    logs = [stats.trim_mean(np.log(draws(center, 0.3, 10, k)), 0.25) for k, center in ((0, 1.0), (1, 5.0))]
    assert elu["ratio"] == pytest.approx(np.exp(logs[0] - logs[1]))
    assert elu["ratio_interval"][0] < elu["ratio"] < elu["ratio_interval"][1] < 1
    assert (elu["p_better"], tanh["p_better"]) == (1.0, 0.0)
    assert tanh["p_better_interval"][1] > 0
    assert relu["reference"]
    assert relu["difference"] is None
    assert ranked(report) == ["elu", "relu", "tanh"]
    assert elu["best_seed"] < elu["worst_seed"]
    assert (elu["rank"], elu["rank_interval"]) == (1, [1, 1])


def test_a_metric_of_which_more_is_better_ranks_the_other_way(study: Path) -> None:
    make_three(study, primary="recall", direction="max")
    report = report_on(study)
    assert ranked(report) == ["tanh", "relu", "elu"]
    assert row(report, "tanh")["difference"] > 0
    assert row(report, "tanh")["ratio"] is None


def test_final_best_and_mean_are_told_apart(study: Path) -> None:
    make_run(study, "relu", [2.0] * 5)
    make_run(study, "elu", [3.0] * 5)
    beside = row(report_on(study), "relu")["side_by_side"]
    on_the_way = [2.0 * (1 + 3 * np.exp(-step / 400)) for step in STEPS[:-1]] + [2.0]
    assert beside == pytest.approx({"last": 2.0, "best": 2.0, "mean": np.mean(on_the_way)})


def test_real_data_and_untrained_generators_have_their_rows(study: Path) -> None:
    make_three(study, untrained=40.0, real_data=[0.3, 0.5, 0.4])
    anchors = report_on(study)["settings"][0]["anchors"]
    assert anchors["real_data"].pop("draws") == [0.3, 0.5, 0.4]
    assert anchors["real_data"] == pytest.approx({"mean": 0.4, "sd": 0.1})
    assert anchors["untrained"] == {"iqm": 40.0, "low": 40.0, "high": 40.0, "seeds": 30}


def test_scores_of_untrained_generators_may_stand_in_the_results(study: Path) -> None:
    make_three(study, spec={"untrained": 30.0})
    report = report_on(study)
    assert report["settings"][0]["anchors"]["untrained"]["iqm"] == 30.0
    assert report["settings"][0]["learning"]["learned"] == ["elu", "relu", "tanh"]


# Beside the ranking


def test_precision_is_never_shown_without_recall_and_coverage(study: Path) -> None:
    alone = {"precision": metric(0.9, 0.95, "max"), "recall": metric(0.8, 0.9, "max")}
    for name in ("elu", "relu"):
        make_run(study, name, [1.0] * 5, metrics=alone)
    report = report_on(study)
    secondary = report["settings"][0]["secondary"]
    assert secondary["columns"] == [
        {"name": "recall", "direction": "max", "real_data": 0.9, "untrained": None}
    ]
    assert secondary["values"]["elu"] == {"recall": 0.8}
    assert "precision is not shown: it says nothing without recall and coverage." in report["notes"]


def test_health_is_the_mean_of_the_last_diagnostics(study: Path) -> None:
    make_run(study, "relu", [1.0] * 5, name="a", health=0.2)
    make_run(study, "relu", [1.0] * 5, name="b", first=5, health=0.4)
    make_run(study, "elu", [1.0] * 5)
    health = report_on(study)["settings"][0]["health"]
    assert list(health) == ["generator", "discriminator"]
    assert health["generator"]["sites"] == list(SITES)
    relu = health["generator"]["candidates"]["relu"]
    assert relu["sites"]["dead"] == pytest.approx([0.3, 0.3])
    assert relu["sites"]["saturated"] == pytest.approx([0.3, 0.6])
    # Geometric: 10^-1 and 10^-2 give 10^-1.5.
    assert relu["gradient_ratio"] == pytest.approx(10**-1.5)


def test_health_holds_what_passes_forwards_and_backwards_at_the_start_and_at_the_end(study: Path) -> None:
    make_run(study, "relu", [1.0] * 5, name="a", health=0.2, untrained=9.0)
    make_run(study, "relu", [1.0] * 5, name="b", first=5, health=0.4, untrained=9.0)
    health = report_on(study)["settings"][0]["health"]
    assert health["generator"]["layers"] == list(SITES)
    relu = health["generator"]["candidates"]["relu"]
    assert relu["scale"] == pytest.approx([1.0, 10**0.3])
    assert relu["gradients"] == pytest.approx([10**-0.3] * 2)
    # The synthetic initial weights are in perfect health.
    assert relu["at_start"] == {"scale": [1.0, 1.0], "gradients": [1.0, 1.0], "gradient_ratio": 1.0}


# Cost


def test_milliseconds_leave_out_metrics_and_diagnostics(study: Path) -> None:
    make_run(study, "relu", [2.0] * 5)
    make_run(study, "elu", [2.0] * 5)
    cost = report_on(study)["settings"][0]["cost"]
    # 60 + 10 * 4 seconds, of which 3 + 1 went into measuring, over 2,000 steps of 5 seeds
    assert cost["rows"]["relu"]["ms_per_step"] == pytest.approx(1000 * (100 - 4) / (2000 * 5))
    assert (cost["fair"], cost["reasons"]) == (True, [])


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"device": "cpu (1 thread)"}, "the device differs between runs"),
        ({"host": "another"}, "the machine differs between runs"),
        ({"execution": "cuda_graph"}, "the engine differs between runs"),
        ({"versions": {"torch": "2.14.0"}}, "the versions differ between runs"),
    ],
)
def test_costs_of_other_machines_are_marked(study: Path, facts: dict[str, object], reason: str) -> None:
    make_run(study, "relu", [2.0] * 5)
    make_run(study, "elu", [2.0] * 5, facts=facts)
    cost = report_on(study)["settings"][0]["cost"]
    assert (cost["fair"], cost["reasons"]) == (False, [reason])


def sitting(**changes: Any) -> Sitting:
    before = {
        "device": "cpu",
        "threads": 1,
        "engine": "vmap",
        "execution": "eager",
        "versions": {"torch": "2"},
    }
    return Sitting(**(before | {"to_step": STEPS[-1], "load": 1.0} | changes))


@pytest.mark.parametrize(
    ("sittings", "reason"),
    [
        ([sitting(threads=2)], "the number of threads differs between runs"),
        ([sitting(device="a GPU")], "the device differs between runs"),
        ([sitting(versions={"torch": "3"})], "the versions differ between runs"),
        ([sitting(to_step=500), sitting(from_step=500)], "1 of 2 runs were resumed"),
        ([sitting(load=6.5)], "the load of the machine was 1.0 in one run and 6.5 in another"),
    ],
)
def test_costs_compare_only_where_the_sittings_were_alike(
    study: Path, sittings: list[Sitting], reason: str
) -> None:
    make_run(study, "relu", [2.0] * 5, facts={"sittings": [sitting()]})
    make_run(study, "elu", [2.0] * 5, facts={"sittings": sittings})
    cost = report_on(study)["settings"][0]["cost"]
    assert (cost["fair"], cost["reasons"]) == (False, [reason])


def test_costs_of_sittings_that_were_alike_compare(study: Path) -> None:
    make_run(study, "relu", [2.0] * 5, facts={"sittings": [sitting()]})
    restarted = [sitting(to_step=0, threads=8), sitting(load=1.6)]  # stopped before its first step
    make_run(study, "elu", [2.0] * 5, facts={"sittings": restarted})
    assert report_on(study)["settings"][0]["cost"]["fair"]


def test_a_busy_machine_shows_in_the_spread_of_a_candidates_runs(study: Path) -> None:
    make_run(study, "relu", [2.0] * 5)
    make_run(study, "elu", [2.0] * 5, name="a")
    make_run(study, "elu", [2.0] * 5, name="b", first=5, facts={"seconds": 300.0})
    cost = report_on(study)["settings"][0]["cost"]
    assert not cost["fair"]
    assert cost["rows"]["elu"]["high"] == pytest.approx(29.6)
    assert cost["rows"]["elu"]["low"] == pytest.approx(8.6)
    assert "the runs of elu differ by more than half" in cost["reasons"][0]
