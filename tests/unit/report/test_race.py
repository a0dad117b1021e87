"""A report on a raced study: its tests are the looks', and page, terminal and JSON say the same."""

from pathlib import Path

import numpy as np
import pytest

from gan_lab.report.race import race_lines
from gan_lab.report.terminal import lines
from gan_lab.report.write import read_runs, write
from gan_lab.runs.race_file import RACE, Arm, RaceRecord, Round
from gan_lab.sweeps.race import decide
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
