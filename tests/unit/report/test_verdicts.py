"""Studies whose verdict was false or hidden once, and the sentence that a careful reviewer would write."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gan_lab.report.analysis import analyze
from gan_lab.report.terminal import lines
from gan_lab.report.write import read_runs
from tests.helpers.synthetic import STEPS, draws, make_run

END = STEPS[-1]
# The studies of image scores: real data score 19, an untrained generator 500.
KNOWN: dict[str, Any] = {"real_data": [18.8, 19.0, 19.2], "untrained": 500.0}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "study"


def report_on(study: Path, **asked: Any) -> dict[str, Any]:
    return analyze(read_runs(study), **asked)


def run(
    study: Path, activation: str, center: float, sd: float, seeds: int = 10, stream: int = 0, **more: Any
) -> None:
    make_run(study, activation, draws(center, sd, seeds, stream), **(KNOWN | more))


def rates(
    study: Path,
    table: dict[str, Sequence[float]],
    sd: float,
    seeds: int,
    values: Sequence[float],
    **more: Any,
) -> None:
    """Write one run per candidate and learning rate, with these centers."""
    for row, (name, centers) in enumerate(table.items()):
        for column, (rate, center) in enumerate(zip(values, centers, strict=True)):
            own = {"name": f"{name}-{rate}", "changes": {"optimizer.lr": rate}} | more
            run(study, name, center, sd * center, seeds, 100 * row + column, **own)


def names(report: dict[str, Any], setting: int = 0) -> list[str]:
    return [row["name"] for row in report["settings"][setting]["rows"]]


def test_1_who_could_not_write_is_incomplete_and_who_has_not_learned_wins_nothing(study: Path) -> None:
    ring = {"primary": "mode_js", "points": True, "untrained": 0.663, "real_data": 0.0004}
    make_run(study, "elu", [0.663] * 5, step=100, steps=100, curves={100: [0.663] * 5}, **ring)
    reason = "no space left on device"
    make_run(
        study, "relu", [0.663] * 5, state="failed", step=0, steps=100, reason=reason, measured=False, **ring
    )
    report = report_on(study)
    verdict = report["verdict"]
    assert verdict["text"] == (
        "relu, the reference, is incomplete: failed at step 0 of 100 (no space left on device). "
        "elu has not learned (0.663; untrained 0.663, real data 0.000400). No verdict."
    )
    assert (verdict["winner"], verdict["incomplete"]) == (None, ["relu"])
    assert verdict["commands"] == ["gan-lab train activation=relu seeds=5"]
    assert names(report) == []
    printed = "\n".join(lines(report))
    assert verdict["text"] in printed
    assert "complete it with: gan-lab train activation=relu seeds=5" in printed


def test_2_a_run_that_failed_at_its_last_step_neither_wins_nor_loses(study: Path) -> None:
    run(study, "relu", 100, 8, state="failed", reason="disk full")
    run(study, "elu", 200, 10, stream=1)
    verdict = report_on(study)["verdict"]
    assert verdict["text"].startswith(
        "relu, the reference, is incomplete: failed at step 2,000 of 2,000 (disk full). elu scores better "
        "than untrained generators. No verdict: only elu is complete, fid 20"
    )
    assert (verdict["winner"], verdict["worse"]) == (None, [])


def test_3_a_reference_that_lacks_a_setting_is_named_and_never_replaced(study: Path) -> None:
    values = (1e-4, 2e-4, 4e-4)
    rates(study, {"elu": [150] * 3, "tanh": [150] * 3}, 0.1, 10, values)
    for index, rate in enumerate(values):
        state = {"state": "interrupted", "step": 1000} if index == 2 else {}
        changes = {"optimizer.lr": rate}
        run(study, "relu", 50, 5, stream=900 + index, name=f"relu-{rate}", changes=changes, **state)
    report = report_on(study)
    text = report["verdict"]["text"]
    assert text.startswith(
        "relu, the reference, is incomplete at optimizer.lr=0.0004: interrupted at step 1,000 of 2,000. "
        "All that are complete score better than untrained generators in every setting. "
        "relu is the best at optimizer.lr=0.0001 and 0.0002 (p at most 0.001); elu and tanh cannot be "
        "told apart at optimizer.lr=0.0004."
    )
    assert "No verdict at one common optimizer.lr: relu is incomplete." in text
    assert report["reference"]["name"] == "relu"
    assert report["overall"] is None
    assert report["tuned"] == []
    assert report["verdict"]["winner"] is None
    assert [setting["winner"] for setting in report["settings"]] == ["relu", "relu", None]
    assert [setting["reference"] for setting in report["settings"]] == ["relu", "relu", None]
    third = report["settings"][2]["verdict"]["text"]
    assert "is incomplete at optimizer.lr=0.0004" in third
    assert "No difference found among the 2 that are complete by fid" in third


def test_4_an_order_that_reverses_has_no_overall_winner(study: Path) -> None:
    table = {"elu": [90, 90, 90, 2000], "relu": [100] * 4, "tanh": [100] * 4}
    rates(study, table, 0.05, 10, (1e-4, 2e-4, 4e-4, 8e-4), untrained=3000.0)
    report = report_on(study)
    text = report["verdict"]["text"]
    assert "elu is the best at optimizer.lr=0.0001, 0.0002 and 0.0004 (p at most 0.0" in text
    assert (
        "No winner at one common optimizer.lr: the order reverses: elu leads at optimizer.lr=0.0001, "
        "0.0002 and 0.0004 and is significantly behind at optimizer.lr=0.0008. "
    ) in text
    assert report["verdict"]["winner"] is None
    assert report["overall"]["winner"] is None
    last = {row["name"]: row for row in report["settings"][3]["rows"]}
    assert last["elu"]["worse"]


def test_5_at_its_own_best_value_is_another_question_than_at_a_common_one(study: Path) -> None:
    table = {"elu": [60, 150, 150], "relu": [100] * 3, "tanh": [100] * 3}
    rates(study, table, 0.05, 10, (1e-4, 2e-4, 4e-4))
    report = report_on(study)
    text = report["verdict"]["text"]
    assert "No winner at one common optimizer.lr: the order reverses: " in text
    assert (
        "elu leads at optimizer.lr=0.0001 and is significantly behind at optimizer.lr=0.0002 and 0.0004."
        in text
    )
    (tuned,) = report["tuned"]
    assert (tuned["key"], tuned["winner"]) == ("optimizer.lr", "elu")
    best = tuned["rows"][0]
    assert (
        f"With each candidate at its own best optimizer.lr, elu is the best: fid {best['tuned_iqm']:#.3g}"
        in text
    )
    assert best["best_value"] == "0.0001"
    assert best["tuned_iqm"] == pytest.approx(60, abs=3)
    assert tuned["rows"][1]["tuned_iqm"] == pytest.approx(100, abs=5)


def test_6_a_hopeless_candidate_changes_nothing_between_two_others(study: Path, tmp_path: Path) -> None:
    for folder in (study, tmp_path / "with"):
        rates(folder, {"relu": [100, 100], "elu": [99, 98]}, 0.05, 10, (1e-4, 2e-4))
    hopeless = {"name": "tanh-1", "changes": {"optimizer.lr": 1e-4}}
    run(tmp_path / "with", "tanh", 450, 20, stream=77, **hopeless)
    run(tmp_path / "with", "tanh", 120, 5, stream=78, name="tanh-2", changes={"optimizer.lr": 2e-4})
    alone, crowded = report_on(study), report_on(tmp_path / "with")
    before = {row["name"]: row for row in alone["overall"]["rows"]}
    after = {row["name"]: row for row in crowded["overall"]["rows"]}
    for name in ("relu", "elu"):
        assert after[name]["p_best"] == pytest.approx(before[name]["p_best"], abs=0.01)
        assert after[name]["iqm"] == pytest.approx(before[name]["iqm"])
        assert after[name]["interval"] == pytest.approx(before[name]["interval"])
    assert before["relu"]["difference"] is None
    assert after["elu"]["difference"] == pytest.approx(before["elu"]["difference"])
    assert "relu" not in crowded["overall"]["worse"]


@pytest.mark.parametrize(("candidates", "seeds"), [(7, 8), (17, 8), (36, 10)])
def test_7_of_equals_nobody_scored_worse(study: Path, candidates: int, seeds: int) -> None:
    for k in range(candidates):
        run(study, "relu" if k == 0 else f"a{k}", 100, 10, seeds, stream=1000 + k)
    report = report_on(study)
    assert report["settings"][0]["worse"] == []
    assert report["verdict"]["winner"] is None
    assert report["verdict"]["text"].startswith(
        f"All {candidates} score better than untrained generators. "
        f"No difference found among {candidates} candidates by fid: "
    )
    assert "cannot be told apart (p = " in report["verdict"]["text"]


def test_8_nobody_has_learned(study: Path) -> None:
    ring = {"primary": "mode_js", "points": True, "untrained": 0.663, "real_data": 0.0004}
    scores = {"elu": 0.663, "relu": 0.6625, "sigmoid": 0.663, "tanh": 0.6628}
    for name, score in scores.items():
        make_run(study, name, [score] * 6, step=600, steps=600, curves={600: [score] * 6}, **ring)
    report = report_on(study)
    text = report["verdict"]["text"]
    assert text.startswith(
        "Nobody has learned: elu, relu, sigmoid and tanh have not come 5% of the way from untrained "
    )
    assert text.endswith(
        "; untrained 0.663, real data 0.000400). "
        "Train longer, or change how they are trained, before comparing them."
    )
    assert names(report) == []
    assert report["verdict"]["winner"] is None
    assert report["verdict"]["power"] == ""
    assert not report["verdict"]["exploratory"]


def test_9_too_few_seeds_are_told_of_the_one_that_has_them(study: Path) -> None:
    for k in range(9):
        run(study, ("elu", "relu")[k] if k < 2 else f"a{k}", 60 if k == 0 else 100, 5, 20, stream=k)
    run(study, "tanh", 100, 5, 5, stream=50)
    report = report_on(study)
    assert report["verdict"]["winner"] == "elu"
    assert report["verdict"]["text"].startswith(
        "All 10 score better than untrained generators. elu is the best of 10 candidates by fid: "
    )
    (power,) = [one["text"] for one in report["verdict"]["sentences"] if one["kind"] == "power"]
    assert power == "tanh (5 seeds): too few to be called worse, however large the difference (7 are needed)."
    rows = {row["name"]: row for row in report["settings"][0]["rows"]}
    assert rows["tanh"]["detectable"] is None
    assert rows["relu"]["detectable"] is not None


def test_10_divergence_is_told_and_the_order_is_one(study: Path) -> None:
    run(study, "elu", 50, 3, diverged={0: 700, 4: 900, 7: 1200})
    run(study, "relu", 100, 5, stream=1)
    run(study, "tanh", 120, 5, stream=2)
    report = report_on(study)
    assert names(report) == ["relu", "tanh", "elu"]
    elu = report["settings"][0]["rows"][2]
    assert (elu["rank"], elu["p_best"], elu["rank_interval"], elu["iqm"]) == (3, None, None, None)
    assert elu["finite_iqm"] == pytest.approx(50, abs=3)
    text = report["verdict"]["text"]
    assert f"elu diverges in 3 of 10 seeds; its other seeds score best ({elu['finite_iqm']:#.3g})." in text
    assert " elu scores best" not in text


def test_11_equal_scores_are_called_equal(study: Path) -> None:
    for name in ("relu", "elu", "tanh"):
        make_run(study, name, [100.0] * 6, **KNOWN)
    report = report_on(study)
    assert "All scores of all 3 candidates are equal: fid 100." in report["verdict"]["text"]
    assert report["settings"][0]["tied"] == ["elu", "relu", "tanh"]
    assert {row["rank"] for row in report["settings"][0]["rows"]} == {1}


def test_12_a_leader_that_changed_is_named_and_who_still_improves(study: Path) -> None:
    rng = np.random.default_rng(5)
    ends = {"elu": [110, 100, 90, 80], "tanh": [90, 87, 88, 88], "relu": [120, 119, 118, 118]}
    for name, centers in ends.items():
        curve = {step: list(rng.normal(c, 2, 10)) for step, c in zip(STEPS, centers, strict=True)}
        make_run(study, name, curve[END], curves=curve, **KNOWN)
    report = report_on(study)
    text = report["verdict"]["text"]
    assert "The leader changed after half of the steps: from tanh at step 1,000 to elu at 2,000" in text
    assert "elu is still improving (p < 0.001)." in text
    (order,) = [one for one in report["verdict"]["sentences"] if one["kind"] == "order"]
    assert order["p"]["improving"]["elu"] < 0.001 < 0.05 < order["p"]["improving"]["relu"]


def test_who_is_exploratory_is_not_among_those_that_the_winner_beats(study: Path) -> None:
    run(study, "elu", 60, 5)
    run(study, "relu", 100, 5, stream=2)
    run(study, "tanh", 155, 1, 3, stream=4)
    text = report_on(study)["verdict"]["text"]
    assert "elu is the best of 3 candidates by fid: " in text
    assert "p < 0.001 against every other but tanh, not tested with fewer than 5 seeds." in text


def test_who_is_exploratory_and_scores_best_is_in_the_way_of_a_winner(study: Path) -> None:
    run(study, "elu", 60, 5)
    run(study, "relu", 100, 5, stream=2)
    run(study, "tanh", 55, 1, 3, stream=4)
    report = report_on(study)
    assert report["verdict"]["winner"] is None
    assert (
        "No winner among 3 candidates by fid, 3 to 10 seeds each: elu beats every other that has 5 seeds "
        "(p < 0.001), but tanh cannot be tested with fewer. tanh scores best by fid, "
    ) in report["verdict"]["text"]


def test_of_who_learned_in_some_seeds_only_they_are_counted(study: Path) -> None:
    make_run(study, "elu", [40, 45, 50, 498, 500, 499], **KNOWN)
    run(study, "relu", 100, 5, 6, stream=2)
    run(study, "tanh", 60, 5, 6, stream=3)
    text = report_on(study)["verdict"]["text"]
    assert text.startswith(
        "elu is not shown to have learned: 3 of 6 seeds have come 5% of the way from untrained generators to "
    )
    assert "elu has not learned" not in text
    assert "  elu (not shown to have learned) " in "\n".join(lines(report_on(study)))


def test_scores_stand_in_the_order_of_the_names(study: Path) -> None:
    run(study, "relu", 60, 5, stream=1)
    for name, score in (("elu", 499), ("tanh", 498), ("mish", 497)):
        make_run(study, name, [score + 0.1 * seed for seed in range(5)], **KNOWN)
    text = report_on(study)["verdict"]["text"]
    assert "elu, mish and tanh have not learned (499, 497, 498; " in text


def test_of_those_of_which_too_many_diverged_nobody_scores_best(study: Path) -> None:
    run(study, "relu", 100, 5, diverged=dict.fromkeys(range(4), 700))
    run(study, "elu", 50, 3, stream=3, diverged=dict.fromkeys(range(5), 600))
    verdict = report_on(study)["verdict"]
    assert "relu comes first because fewest of the seeds diverged." in verdict["text"]
    assert "inf" not in verdict["text"]
    assert "scores best by" not in verdict["text"]
    assert verdict["rerun"] is None


def test_a_run_that_cannot_be_read_is_missing_from_those_that_are_complete(study: Path) -> None:
    for k, name in enumerate(("elu", "relu", "tanh")):
        run(study, name, 60 + 20 * k, 5, stream=k)
    (study / "activation=tanh" / "status.json").write_text("{")
    verdict = report_on(study)["verdict"]
    assert verdict["text"].startswith("Not readable, and so missing here: activation=tanh. ")
    assert "elu is the best of the 2 that are complete by fid" in verdict["text"]
    assert verdict["winner"] is None


def test_a_single_seed_that_failed_is_named_in_the_verdict(study: Path) -> None:
    for seed in range(6):
        failed = {"state": "failed", "reason": "killed"} if seed == 5 else {}
        run(study, "elu", 60, 5, 1, stream=seed, first=seed, name=f"elu-{seed}", **failed)
        run(study, "relu", 80, 5, 1, stream=50 + seed, first=seed, name=f"relu-{seed}")
    verdict = report_on(study)["verdict"]
    assert verdict["text"].startswith(
        "1 seed of elu does not count: failed at step 2,000 of 2,000 (killed). "
    )
    assert verdict["commands"] == ["gan-lab train activation=elu seeds=1 seed=5"]


def test_who_has_not_learned_at_some_values_is_named_and_at_all_is_left_out(study: Path) -> None:
    table = {"elu": [60, 70], "relu": [100, 110], "sigmoid": [499, 150], "tanh": [499, 499]}
    rates(study, table, 0.001, 10, (1e-4, 2e-4))
    report = report_on(study)
    text = report["verdict"]["text"]
    assert "sigmoid is not shown to have learned at optimizer.lr=0.0001." in text
    assert "tanh is not shown to have learned at optimizer.lr=0.0001 and 0.0002." in text
    assert [row["name"] for row in report["overall"]["rows"]] == ["elu", "relu", "sigmoid"]
    assert {row["name"] for row in report["tuned"][0]["rows"]} == {"elu", "relu", "sigmoid"}


def test_too_many_candidates_for_their_seeds_are_not_said_to_be_alike(study: Path) -> None:
    run(study, "relu", 100, 5, 5)
    for k in range(1, 7):
        run(study, f"a{k}", 102 if k == 1 else 400, 5, 5, stream=k)
    text = report_on(study)["verdict"]["text"]
    assert "cannot be told apart" not in text
    assert "but is not shown to beat a1 (p = " in text
    assert "with 5 seeds each nobody can be called worse." in text


def test_one_candidate_with_many_seeds_is_not_exploratory(study: Path) -> None:
    run(study, "relu", 100, 5)
    report = report_on(study)
    assert not report["verdict"]["exploratory"]
    printed = "\n".join(lines(report))
    assert "P(best)" not in printed


def test_a_lead_by_chance_is_no_reversal(study: Path) -> None:
    rates(study, {"elu": [60, 100.5], "relu": [100, 100]}, 0.05, 10, (1e-4, 2e-4))
    report = report_on(study)
    leaders = [setting["rows"][0]["name"] for setting in report["settings"]]
    assert (leaders, report["settings"][1]["winner"]) == (["elu", "relu"], None)
    text = report["verdict"]["text"]
    assert "reverses" not in text
    assert (
        "No winner at one common optimizer.lr: elu is the best on the average, but relu is ahead, not "
        "significantly, at optimizer.lr=0.0002."
    ) in text
