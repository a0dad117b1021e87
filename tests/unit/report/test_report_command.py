"""`gan-lab report` as somebody calls it."""

import json
import re
from pathlib import Path

from tests.helpers.cli import call
from tests.helpers.reports import make_three
from tests.helpers.synthetic import make_run, metric


def test_the_command_prints_verdict_table_and_page(study: Path) -> None:
    make_three(study, untrained=40.0)
    code, out, err = call("report", "study")
    assert (code, err) == (0, "")
    report = json.loads((study / "report" / "report.json").read_text())
    lines = out.splitlines()
    assert lines[0] == report["verdict"]["text"]
    assert "elu is the best of 3 candidates by fid" in lines[0]
    assert re.split(r"\s{2,}", lines[2].strip())[:3] == ["activation", "fid", "vs relu"]
    assert [re.split(r"\s{2,}", line.strip())[0] for line in lines[3:8]] == [
        "real data",
        "elu",
        "relu (reference)",
        "tanh",
        "untrained generator",
    ]
    assert lines[-1] == "page: outputs/study/report/index.html"
    assert (study / "report" / "index.html").exists()
    # The page, the terminal and report.json say the same.
    page = (study / "report" / "index.html").read_text()
    for one in report["verdict"]["sentences"]:
        assert one["text"] in out
        assert one["text"].replace("<", "&lt;") in page


def test_settings_come_first_and_then_what_they_say_together(study: Path) -> None:
    for rate in (1e-4, 2e-4):
        make_three(study / "x", seeds=6, changes={"optimizer.lr": rate}, untrained=40.0)
        for name in ("elu", "relu", "tanh"):
            (study / "x" / f"activation={name}").rename(study / f"{name}-{rate}")
    code, out, _ = call("report", "study")
    assert code == 0
    places = [
        out.index("optimizer.lr=0.0001: All 3 score better than untrained generators at optimizer.lr=0.0001"),
        out.index("elu is the best of 3 candidates by fid at optimizer.lr=0.0001"),
        out.index("elu is the best of 3 candidates by fid at optimizer.lr=0.0002"),
        out.index("over both settings"),
        out.index("each at its own best optimizer.lr"),
    ]
    assert places == sorted(places)


def test_the_command_prints_json_and_marks_what_was_chosen_after_the_runs(study: Path) -> None:
    make_three(study, seeds=5, metrics={"kid": metric(0.1, 0.0)})
    chosen = ("--primary", "kid", "--reference", "elu", "--margin", "0.2", "--format", "tex")
    code, out, _ = call("report", str(study), "--json", *chosen, "-o", "o")
    assert code == 0
    assert json.loads(out) == json.loads(Path("o/report.json").read_text())
    assert Path("o/index.html").read_text().count("Chosen after the runs.") == 3
    assert Path("o/figures/ranking.tex").exists()


def test_the_command_refuses_in_one_sentence(study: Path) -> None:
    make_three(study, seeds=5)
    code, out, err = call("report", "nothing")
    assert (code, out) == (2, "")
    assert err == "gan-lab: there is no study 'nothing'; type gan-lab report outputs/study\n"
    code, out, err = call("report", "study", "--format", "gif")
    assert (code, out) == (2, "")
    assert err == "gan-lab: --format must be one of png, svg, pdf, tex, got 'gif'\n"


def test_a_damaged_run_does_not_stop_the_command(study: Path) -> None:
    make_three(study, seeds=5)
    (study / "activation=elu" / "seed_0" / "results.json").write_text("{")
    code, out, _ = call("report", "study")
    assert code == 0
    assert "activation=elu" in json.loads((study / "report" / "report.json").read_text())["damaged"]
    assert "damaged: activation=elu: " in out


def test_missing_runs_come_with_the_commands_that_complete_them(study: Path) -> None:
    make_three(study, seeds=5)
    for k in range(14):
        make_run(study, f"a{k:02}", [1.0] * 5, state="interrupted", step=500)
    code, out, _ = call("report", "study")
    assert code == 0
    assert out.startswith("14 candidates are incomplete: a00, a01, a02, a03, a04, a05, a06 and 7 more (a00: ")
    assert out.count("complete it with: gan-lab train activation=a") == 12
    assert "and 2 more commands in report.json" in out
