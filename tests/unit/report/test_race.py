"""A report on a raced study: its tests are the looks', and page, terminal and JSON say the same."""

from pathlib import Path

import numpy as np
import pytest

from gan_lab.report.race import race_lines
from gan_lab.report.terminal import lines
from gan_lab.report.write import read_runs, write
from gan_lab.runs.race_file import RACE, Arm, RaceRecord, Round
from gan_lab.sweeps.race import decide
from gan_lab.utils.errors import GanLabError
from tests.helpers.reports import ranked, report_on, row, sentences
from tests.helpers.synthetic import make_run

CENTERS = {"relu": 100.0, "elu": 140.0, "tanh": 900.0}


@pytest.fixture
def study() -> Path:
    """A race of three: tanh is out after 8 seeds, elu after 16."""
    folder = Path("outputs/raced")
    arms = [Arm(name, "", name) for name in CENTERS]
    declared = {"report.primary": None, "report.reference": "relu", "report.margin": None}
    levels = [0.0125, 0.0125, 0.025]
    record = RaceRecord(declared, "2026-11-26T10:00:00+00:00", 0.05, [8, 16, 32], levels, arms)
    for number, (alive, seeds) in enumerate([(CENTERS, 8), (("relu", "elu"), 16)]):
        runs = {}
        for name in alive:
            noise = np.random.default_rng([number, len(name)]).normal(0, 30, 8)
            scores = [float(CENTERS[name] + x) for x in noise]
            run = make_run(folder, name, scores, name=f"{name}-{number}", first=8 * number, untrained=2000.0)
            runs[run.name] = list(CENTERS).index(name)
        record.rounds.append(Round(seeds, runs, "2026-11-26T10:00:00+00:00"))
        decide(record, folder)
    assert record.ended == "winner"
    record.save(folder)
    return folder


def test_the_verdict_is_the_races_and_says_so(study: Path) -> None:
    report = report_on(study)
    assert report["verdict"]["winner"] == "relu"
    assert report["verdict"]["worse"] == ["elu", "tanh"]
    assert ranked(report) == ["relu", "elu", "tanh"]
    assert (row(report, "tanh")["seeds"], row(report, "elu")["seeds"]) == (8, 16)
    assert all(row(report, name)["p_worse"] <= 0.05 for name in ("elu", "tanh"))
    assert row(report, "elu")["p_holm"] is None
    (text,) = sentences(report, "race")
    assert "2 rounds of at most 3, 40 seeds of at most 96 (42%)" in text
    assert text in report["verdict"]["text"]
    assert any("Lan & DeMets 1983" in line for line in report["statistics"])


def test_page_and_terminal_tell_each_round_as_the_json_does(study: Path) -> None:
    report = write(read_runs(study), study / "report", formats=[])
    rounds = race_lines(report["race"])
    assert len(rounds) == 2
    assert rounds[0].startswith("round 1, 8 seeds each, level 1.25 %: out tanh (worse than ")
    assert rounds[0].endswith("; in elu, relu")
    assert rounds[1] == "round 2, 16 seeds each, level 1.25 %: out elu (worse than relu); in relu"
    page = (study / "report/index.html").read_text()
    printed = list(lines(report))
    assert all(line in page and line in printed for line in rounds)


def test_another_metric_is_said_not_to_be_the_races(study: Path) -> None:
    record = RaceRecord.load(study)
    assert record is not None
    record.primary = "kid"
    record.save(study)
    report = report_on(study)
    text = "decided by kid: tests by fid do not account for its looks"
    assert any(text in note for note in report["notes"])
    (study / RACE).unlink()
    assert report_on(study)["race"] is None


def test_what_was_declared_when_is_said(study: Path) -> None:
    report = write(read_runs(study), study / "report", formats=[])
    text = (
        "Race declared 2026-11-26T10:00:00+00:00, before its first run: report.primary=null, "
        "report.reference=relu, report.margin=null; looks at 8, 16, 32 seeds each, decided by fid."
    )
    assert text in (study / "report/index.html").read_text()
    assert text in list(lines(report))


def test_the_statistics_are_those_of_the_race_alone(study: Path) -> None:
    told = report_on(study)["statistics"]
    assert not [line for line in told if line.startswith(("Best:", "Worse:", "p against", "Rank interval"))]
    record = RaceRecord.load(study)
    assert record is not None
    record.primary = "kid"  # and tests by fid are those of a fixed design
    record.save(study)
    told = report_on(study)["statistics"]
    assert [line for line in told if line.startswith("Worse:")]
    assert not [line for line in told if line.startswith("A race:")]


def test_runs_that_were_added_by_hand_are_named_and_change_nothing(study: Path) -> None:
    before = report_on(study)
    changes = {"optimizer.lr": 1e-3}  # which would otherwise be a setting
    make_run(study, "relu", [5.0] * 8, name="more", first=100, untrained=2000.0, step=4000, changes=changes)
    make_run(study, "mish", [1.0] * 8, name="new", untrained=2000.0)
    (study / "new/config.yaml").write_text("")
    after = report_on(study)
    assert after["race"]["other_runs"] == ["more", "new"]
    assert "2 runs in this folder are not of the race, and left out: more, new." in after["notes"]
    assert [one["rows"] for one in after["settings"]] == [one["rows"] for one in before["settings"]]
    assert after["verdict"] == before["verdict"]


def test_a_study_without_a_run_of_its_race_is_refused() -> None:
    folder = Path("outputs/empty")
    make_run(folder, "relu", [1.0] * 5, name="by hand")
    declared = {"report.primary": None, "report.reference": "relu", "report.margin": None}
    RaceRecord(declared, "2026-11-26T10:00:00+00:00", 0.05, [8], [0.05], []).save(folder)
    with pytest.raises(GanLabError, match=r"no run in outputs/empty is of the race"):
        report_on(folder)


def test_settings_that_were_raced_each_by_itself_have_no_verdict_over_all() -> None:
    folder, settings = Path("outputs/two"), {1e-4: "optimizer.lr=0.0001", 1e-3: "optimizer.lr=0.001"}
    arms = [Arm(name, setting, name + setting) for setting in settings.values() for name in ("relu", "elu")]
    declared = {"report.primary": None, "report.reference": "relu", "report.margin": None}
    record = RaceRecord(declared, "2026-11-26T10:00:00+00:00", 0.05, [8, 16], [0.025, 0.025], arms)
    for number in range(2):
        runs = {}
        for index, arm in enumerate(arms):
            (rate,) = [rate for rate, setting in settings.items() if setting == arm.setting]
            if number and rate == 1e-4:  # elu is out there
                continue
            center = 500.0 if arm.name == "elu" and rate == 1e-4 else 100.0
            scores = [float(x) for x in np.random.default_rng([number, index]).normal(center, 20, 8)]
            changes = {"optimizer.lr": rate}
            path = make_run(
                folder, arm.name, scores, name=f"{index}-{number}", first=8 * number, changes=changes,
                untrained=2000.0,
            )  # fmt: skip
            runs[path.name] = index
        record.rounds.append(Round(8 * (number + 1), runs, "2026-11-26T10:00:00+00:00"))
        decide(record, folder)
    record.save(folder)
    report = report_on(folder)
    assert report["settings"][0]["winner"] == "relu"
    assert report["settings"][1]["winner"] is None
    assert (report["overall"], report["tuned"]) == (None, [])
    (text,) = sentences(report, "overall")
    assert text.startswith("No verdict at one common optimizer.lr: each was raced by itself")
