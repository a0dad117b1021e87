"""Which runs and seeds are evidence, and what is said of those that are not."""

import json
import shlex
from pathlib import Path

import pytest

from gan_lab.utils.errors import GanLabError
from tests.helpers.reports import make_three, ranked, report_on, row, sentences
from tests.helpers.synthetic import STEPS, draws, make_run


def test_diverged_seeds_count_as_worst_and_are_never_dropped(study: Path) -> None:
    make_run(study, "relu", [5.0, 5.1, 5.2, 5.3, 5.4, 5.5])
    make_run(study, "elu", [1.0] * 6, diverged={0: 700, 1: 900, 2: 1100, 3: 1200})
    report = report_on(study)
    elu = row(report, "elu")
    assert (elu["seeds"], elu["diverged"], elu["iqm"], elu["finite_iqm"]) == (6, 4, None, 1.0)
    assert ranked(report) == ["relu", "elu"]
    (run,) = [run for run in report["runs"] if run["candidate"] == "elu"]
    assert run["diverged"] == {"0": 700, "1": 900, "2": 1100, "3": 1200}
    # From the step at which they diverged, these four are worst in the curve, too: its middle half is lost.
    curve = report["settings"][0]["curves"]["elu"]
    assert curve["step"] == list(STEPS)
    assert [value is None for value in curve["iqm"]] == [False, True, True, True]
    assert curve["seeds"] == [6] * len(STEPS)


def test_who_diverged_in_every_seed_is_not_ranked(study: Path) -> None:
    make_three(study)
    make_run(study, "mish", [1.0] * 10, diverged=dict.fromkeys(range(10), 300), state="diverged", step=300)
    report = report_on(study)
    assert ranked(report) == ["elu", "relu", "tanh"]
    assert sentences(report, "learning") == ["mish has diverged in every seed."]
    assert report["verdict"]["winner"] == "elu"


@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])
def test_who_did_not_end_is_missing_and_named_with_the_command(study: Path, state: str) -> None:
    make_three(study)
    # A process of this number has not been started, so that "running" is what it left behind.
    gone = {"process": 2**31 - 1}
    make_run(study, "mish", [0.1] * 10, state=state, step=1000, reason="no space", facts=gone)
    report = report_on(study)
    assert ranked(report) == ["elu", "relu", "tanh"]
    told = "interrupted" if state == "running" else state
    reason = f"{told} at step 1,000 of 2,000" + ("" if state == "running" else " (no space)")
    (text,) = sentences(report, "incomplete")
    assert text.startswith(f"mish is incomplete: {told} at step 1,000 of 2,000")
    assert report["settings"][0]["incomplete"][0]["reason"].startswith(reason[:30])
    assert report["verdict"]["commands"] == ["gan-lab train activation=mish seeds=10"]
    assert "elu is the best of the 3 that are complete" in report["verdict"]["text"]
    # While somebody is missing nobody has won the study.
    assert report["verdict"]["winner"] is None
    assert report["settings"][0]["winner"] == "elu"


def test_seeds_of_a_second_run_that_is_missing_are_told_and_the_others_count(study: Path) -> None:
    make_three(study)
    make_run(study, "elu", [1.0] * 5, name="more", first=10, state="interrupted", step=500)
    report = report_on(study)
    assert row(report, "elu")["seeds"] == 10
    assert sentences(report, "partial") == ["5 seeds of elu do not count: interrupted at step 500 of 2,000."]
    assert report["verdict"]["incomplete"] == []


def test_a_shorter_run_is_missing_until_it_is_as_long_as_the_others(study: Path) -> None:
    make_three(study)
    make_run(study, "mish", [0.1] * 10, step=1000, steps=1000)
    report = report_on(study)
    assert ranked(report) == ["elu", "relu", "tanh"]
    assert sentences(report, "incomplete") == [
        "mish is incomplete: finished at step 1,000, 3 runs of this setting at 2,000."
    ]
    (command,) = report["verdict"]["commands"]
    assert shlex.split(command) == ["gan-lab", "train", "activation=mish", "seeds=10", "steps=2000"]


def test_a_failed_run_is_completed_to_the_length_of_the_others(study: Path) -> None:
    make_three(study)
    make_run(study, "mish", [0.1] * 10, state="failed", step=100, steps=1000)
    (command,) = report_on(study)["verdict"]["commands"]
    assert shlex.split(command)[-1] == "steps=2000"


def test_a_member_that_died_before_its_first_step_is_named(study: Path) -> None:
    make_three(study, seeds=5)
    (study / "activation=mish" / ".hydra").mkdir(parents=True)
    assert "it ended before its first step" in report_on(study)["damaged"]["activation=mish"]


def test_a_run_that_was_not_measured_is_missing(study: Path) -> None:
    make_three(study, seeds=5)
    folder = make_run(study, "mish", [1.0] * 5, measured=False)
    report = report_on(study)
    assert sentences(report, "incomplete") == ["mish is incomplete: was not measured."]
    assert report["verdict"]["commands"] == [shlex.join(["gan-lab", "evaluate", str(folder)])]


def test_scores_of_an_earlier_step_do_not_count(study: Path) -> None:
    make_three(study, seeds=5)
    make_run(study, "mish", [1.0] * 5, results={"step": 1000})
    (text,) = sentences(report_on(study), "incomplete")
    assert text == "mish is incomplete: measured at step 1,000, but trained to 2,000."


def test_a_damaged_file_costs_its_own_run_only(study: Path) -> None:
    make_three(study)
    (study / "activation=tanh" / "seed_3" / "stats.jsonl").write_text("[1]\n")
    (study / "activation=relu" / "seed_0" / "results.json").write_text("{")
    make_run(study, "mish", draws(3, 0.1, 10, 9))
    report = report_on(study)
    assert ranked(report) == ["elu", "mish"]
    assert set(report["damaged"]) == {"activation=tanh", "activation=relu"}
    assert [one["name"] for one in report["settings"][0]["incomplete"]] == ["relu", "tanh"]
    assert report["verdict"]["text"].startswith("relu, the reference, is incomplete: ")


@pytest.mark.parametrize(
    "wrong", [{"last": "low"}, {"real_data": [1.0]}, {"real_data_draws": ["a"]}, {"direction": "up"}]
)
def test_a_score_that_is_no_number_costs_its_own_run_only(study: Path, wrong: dict[str, object]) -> None:
    make_three(study)
    file = make_run(study, "mish", draws(3, 0.1, 10, 9)) / "seed_4" / "results.json"
    content = json.loads(file.read_text())
    content["metrics"]["fid"] |= wrong
    file.write_text(json.dumps(content))
    report = report_on(study)
    assert "mish" not in ranked(report)
    assert "damaged (metrics)" in report["damaged"]["activation=mish"]


def test_a_run_without_a_readable_configuration_is_named_and_nobody_wins(study: Path) -> None:
    make_three(study)
    (study / "activation=relu" / "config.yaml").write_text("- just\n- a list\n")
    report = report_on(study)
    assert report["verdict"]["text"].startswith("Not readable, and so missing here: activation=relu. ")
    assert list(report["damaged"]) == ["activation=relu"]
    assert report["verdict"]["winner"] is None


def test_fresh_seeds_are_pooled_and_a_repeated_one_counts_once_the_later(study: Path) -> None:
    make_run(study, "relu", [3.0] * 5)
    make_run(study, "elu", [1.0] * 5, name="first")
    make_run(study, "elu", [2.0] * 5, name="second", first=4, started="2026-11-24T10:00:00+00:00")
    report = report_on(study)
    scores = {score["seed"]: score["value"] for score in row(report, "elu")["scores"]}
    assert scores == {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0, 4: 2.0, 5: 2.0, 6: 2.0, 7: 2.0, 8: 2.0}
    assert report["notes"] == ["Seed 4 of elu was trained twice: second counts, first does not."]


def test_a_study_without_a_complete_run_says_so(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, state="interrupted", step=1000)
    make_run(study, "relu", [1.0] * 5, state="interrupted", step=500)
    message = r"no run of .* is complete: activation=elu interrupted at step 1,000 of 2,000; gan-lab ls "
    with pytest.raises(GanLabError, match=message):
        report_on(study)


# Who has learned


def test_who_has_not_learned_is_told_apart_and_not_ranked(study: Path) -> None:
    make_three(study, untrained=40.0)
    make_run(study, "mish", draws(40, 0.5, 10, 7), untrained=40.0)
    report = report_on(study)
    assert ranked(report) == ["elu", "relu", "tanh"]
    assert [one["name"] for one in report["settings"][0]["unranked"]] == ["mish"]
    mish = row(report, "mish")
    assert "rank" not in mish
    (text,) = sentences(report, "learning")
    assert text == f"mish has not learned ({mish['iqm']:#.3g}; untrained 40.0, real data 0.310)."
    learning = report["settings"][0]["learning"]
    assert learning["learned"] == ["elu", "relu", "tanh"]
    assert learning["p_values"]["mish"] > 0.05 > learning["p_values"]["tanh"]
    assert report["settings"][0]["anchors"]["untrained"]["iqm"] == 40.0
    assert "elu is the best of the 3 that have learned by fid" in report["verdict"]["text"]


def test_a_gain_of_a_hundredth_of_the_way_is_no_learning(study: Path) -> None:
    """By ranks alone six scores of .66 against six of .663 are certain, and nothing was learned."""
    for name in ("relu", "elu"):
        make_run(study, name, [0.66] * 6, primary="mode_js", untrained=0.663, real_data=0.0004)
    report = report_on(study)
    assert ranked(report) == []
    assert report["settings"][0]["learning"]["least_share"] == 0.05


def test_the_only_one_that_has_learned_is_called_that(study: Path) -> None:
    make_run(study, "elu", draws(2, 0.3, 10, 1), untrained=40.0)
    make_run(study, "relu", draws(40, 0.3, 10, 2), untrained=40.0)
    report = report_on(study)
    assert "elu is the only one of 2 that has learned: fid " in report["verdict"]["text"]


def test_without_scores_at_step_0_it_is_not_known_who_learned(study: Path) -> None:
    make_three(study)
    report = report_on(study)
    assert report["settings"][0]["learning"]["not_measured"] == ["elu", "relu", "tanh"]
    assert sentences(report, "learning_unknown") == [
        "Whether elu, relu and tanh learned anything is not known: the untrained generator was not measured."
    ]
    assert ranked(report) == ["elu", "relu", "tanh"]


def test_of_few_seeds_it_is_said_who_scores_no_better_than_untrained(study: Path) -> None:
    for name, value in (("relu", 50.0), ("elu", 45.0), ("tanh", 2.0)):
        make_run(study, name, draws(value, 0.3, 2, 1), untrained=40.0)
    report = report_on(study)
    assert sentences(report, "learning_unknown") == [
        "Whether elu, relu and tanh learned anything cannot be shown with so few seeds; elu and relu score "
        "no better than untrained generators (40.0)."
    ]


def test_few_seeds_that_are_all_worse_than_untrained_are_called_that(study: Path) -> None:
    for name, value in (("relu", 50.0), ("elu", 45.0)):
        make_run(study, name, draws(value, 0.3, 2, 1), untrained=40.0)
    (told,) = sentences(report_on(study), "learning_unknown")
    assert told.endswith("with so few seeds; both score no better than untrained generators (40.0).")
