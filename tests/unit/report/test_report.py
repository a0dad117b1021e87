"""What `gan-lab report` says of studies whose right answer is known."""

import csv
import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from gan_lab.report.analysis import analyze, table
from gan_lab.report.write import pictures, walls, write
from gan_lab.runs.run import Run
from gan_lab.runs.study import read_study
from gan_lab.utils.errors import GanLabError
from tests.helpers.synthetic import PICTURED, SITES, STEPS, draws, make_run, metric, shade

Cli = Callable[..., tuple[int, str, str]]
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return tmp_path / "outputs" / "study"


def said_of(study: Path, **asked: Any) -> dict[str, Any]:
    return analyze(read_study(study, check=Run.verify), **asked)


def row(report: dict[str, Any], name: str, setting: int = 0) -> dict[str, Any]:
    (found,) = [row for row in report["settings"][setting]["rows"] if row["name"] == name]
    return found


def three(study: Path, seeds: int = 10, **more: Any) -> None:
    """elu far ahead of relu, which is far ahead of tanh."""
    for stream, (name, center) in enumerate([("elu", 1.0), ("relu", 5.0), ("tanh", 9.0)]):
        make_run(study, name, draws(center, 0.3, seeds, stream), **more)


# The verdict


def test_a_clear_winner_is_named_and_offered_fresh_seeds(study: Path) -> None:
    three(study)
    report = said_of(study)
    verdict = report["verdict"]
    assert verdict["winner"] == "elu"
    assert verdict["text"].startswith("elu is the best of 3 candidates by fid:")
    assert not verdict["exploratory"]
    command = shlex.split(verdict["rerun"]["command"])
    assert command == ["gan-lab", "train", "activation=elu", "seed=10", "seeds=10", "study=study_fresh"]
    assert "fresh seeds" in verdict["bias"]


def test_equals_are_a_tie_and_no_one_wins(study: Path) -> None:
    same = draws(2, 0.3, 10, 1)
    make_run(study, "elu", same)
    make_run(study, "relu", same[::-1])
    make_run(study, "tanh", draws(9, 0.3, 10, 2))
    verdict = said_of(study)["verdict"]
    assert verdict["winner"] is None
    assert sorted(verdict["tied"]) == ["elu", "relu"]
    assert verdict["text"].startswith("No single winner by fid: elu and relu cannot be told apart")
    assert "tanh scored worse" in verdict["text"]


def test_under_five_seeds_a_report_is_exploratory(study: Path) -> None:
    three(study, seeds=4)
    report = said_of(study)
    assert report["verdict"]["exploratory"]
    assert report["verdict"]["winner"] is None
    assert report["verdict"]["text"].startswith("Exploratory, 4 seeds each")
    assert all(row["p_holm"] is None for row in report["settings"][0]["rows"])


# The ranking


def test_numbers_stand_in_the_metrics_own_units_and_direction(study: Path) -> None:
    three(study)
    report = said_of(study)
    elu, relu, tanh = (row(report, name) for name in ("elu", "relu", "tanh"))
    assert elu["iqm"] == pytest.approx(stats.trim_mean(draws(1.0, 0.3, 10, 0), 0.25))
    assert elu["interval"][0] < elu["iqm"] < elu["interval"][1]
    assert elu["difference"] == pytest.approx(elu["iqm"] - relu["iqm"])
    assert elu["difference_interval"][0] < elu["difference"] < elu["difference_interval"][1] < 0
    assert (elu["improvement"], tanh["improvement"]) == (1.0, 0.0)
    assert relu["reference"]
    assert relu["difference"] is None
    assert [r["name"] for r in report["settings"][0]["rows"]] == ["elu", "relu", "tanh"]
    assert elu["best"] < elu["worst"]


def test_a_metric_of_which_more_is_better_ranks_the_other_way(study: Path) -> None:
    three(study, primary="recall", direction="max")
    report = said_of(study)
    assert [r["name"] for r in report["settings"][0]["rows"]] == ["tanh", "relu", "elu"]
    assert row(report, "tanh")["difference"] > 0


def test_final_best_and_mean_stand_side_by_side(study: Path) -> None:
    make_run(study, "relu", [2.0] * 5)
    make_run(study, "elu", [3.0] * 5)
    beside = row(said_of(study), "relu")["side_by_side"]
    on_the_way = [2.0 * (1 + 3 * np.exp(-step / 400)) for step in STEPS[:-1]] + [2.0]
    assert beside == pytest.approx({"last": 2.0, "best": 2.0, "mean": np.mean(on_the_way)})


def test_diverged_and_failed_seeds_are_counted_as_worst_and_never_dropped(study: Path) -> None:
    make_run(study, "relu", [5.0, 5.1, 5.2, 5.3, 5.4, 5.5])
    make_run(study, "elu", [1.0] * 6, diverged={0: 700, 1: 900, 2: 1100, 3: 1200})
    make_run(study, "tanh", [1.0] * 6, state="failed", step=500, measured=False, reason="RuntimeError: boom")
    report = said_of(study)
    elu, tanh = row(report, "elu"), row(report, "tanh")
    assert (elu["seeds"], elu["failures"], elu["diverged"], elu["failed"]) == (6, 4, 4, 0)
    assert (tanh["failures"], tanh["failed"], tanh["iqm"]) == (6, 6, None)
    assert report["settings"][0]["rows"][0]["name"] == "relu"
    (run,) = [run for run in report["runs"] if run["candidate"] == "elu"]
    assert run["diverged"] == {"0": 700, "1": 900, "2": 1100, "3": 1200}
    # From the step at which they broke, these four are worst in the curve, too: its middle half is lost.
    curve = report["settings"][0]["curves"]["elu"]
    assert curve["step"] == list(STEPS)
    assert [value is None for value in curve["iqm"]] == [False, True, True, True]
    assert curve["seeds"] == [6] * len(STEPS)


def test_milliseconds_leave_out_metrics_and_diagnostics(study: Path) -> None:
    make_run(study, "relu", [2.0] * 5)
    # 60 + 10 * 4 seconds, of which 3 + 1 went into looking, over 2,000 steps of 5 seeds
    assert row(said_of(study), "relu")["ms_per_step"] == pytest.approx(1000 * (100 - 4) / (2000 * 5))


# Candidates and settings


def test_players_that_differ_are_named_in_pairs_and_make_a_grid(study: Path) -> None:
    scores = {("elu", "elu"): 1.0, ("elu", "relu"): 2.0, ("relu", "elu"): 5.0, ("relu", "relu"): 6.0}
    for (generator, discriminator), score in scores.items():
        make_run(study, generator, [score] * 8, discriminator=discriminator)
    report = said_of(study)
    assert [r["name"] for r in report["settings"][0]["rows"]] == ["elu", "elu / relu", "relu / elu", "relu"]
    grid = report["settings"][0]["grid"]
    assert (grid["generators"], grid["discriminators"]) == (["elu", "relu"], ["elu", "relu"])
    assert grid["values"] == [[1.0, 2.0], [5.0, 6.0]]
    # IQMs of eight and eight equal scores pooled: the mean of both, as a quarter of each is cut.
    assert grid["generator_margin"] == [1.5, 5.5]
    assert grid["discriminator_margin"] == [3.0, 4.0]


def test_a_study_of_one_activation_in_both_players_has_no_grid(study: Path) -> None:
    three(study, seeds=5)
    assert said_of(study)["settings"][0]["grid"] is None


def test_a_parameter_that_varies_under_one_name_is_told(study: Path) -> None:
    make_run(study, "relu", [3.0] * 5)
    make_run(study, "elu", [1.0] * 5, name="a", own={"alpha": 1.0})
    make_run(study, "elu", [2.0] * 5, name="b", own={"alpha": 0.5})
    names = [r["name"] for r in said_of(study)["settings"][0]["rows"]]
    assert names == ["elu (alpha=1)", "elu (alpha=0.5)", "relu"]


def test_what_else_varies_makes_settings_and_whoever_is_missing_is_named(study: Path) -> None:
    for rate in (2e-4, 8e-4, 5e-5):
        for name, score in (("elu", 1.0), ("relu", 2.0), ("tanh", 3.0)):
            if (name, rate) != ("tanh", 8e-4):
                scores = [score + rate + 0.01 * k for k in range(5)]
                make_run(study, name, scores, name=f"{name}-{rate}", changes={"optimizer.lr": rate})
    report = said_of(study)
    rates = ["optimizer.lr=5e-05", "optimizer.lr=0.0002", "optimizer.lr=0.0008"]
    assert [setting["name"] for setting in report["settings"]] == rates
    assert report["missing"] == {"tanh": ["optimizer.lr=0.0008"]}
    assert [r["name"] for r in report["overall"]["rows"]] == ["elu", "relu"]
    assert report["overall"]["rows"][0]["seeds"] == 15
    assert "over 3 settings" in report["verdict"]["text"]
    assert not any("same learning rate" in limit for limit in report["limits"])


def test_what_a_chosen_group_brings_along_is_not_told_again(study: Path) -> None:
    wide = {"model.latent_size": 8, "model.generator.latent_size": 8, "model._target_": "mlp"}
    for name in ("elu", "relu"):
        make_run(study, name, [1.0] * 5, name=f"{name}-dcgan")
        make_run(study, name, [1.0] * 5, name=f"{name}-mlp", choices={"model": "mlp"}, changes=wide)
    assert [setting["name"] for setting in said_of(study)["settings"]] == ["model=dcgan", "model=mlp"]


def test_fresh_seeds_are_pooled_and_a_repeated_one_counts_once_the_later(study: Path) -> None:
    make_run(study, "relu", [3.0] * 5)
    make_run(study, "elu", [1.0] * 5, name="first")
    make_run(study, "elu", [2.0] * 5, name="second", first=4, started="2026-11-24T10:00:00+00:00")
    report = said_of(study)
    scores = {score["seed"]: score["value"] for score in row(report, "elu")["scores"]}
    assert scores == {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0, 4: 2.0, 5: 2.0, 6: 2.0, 7: 2.0, 8: 2.0}
    assert report["notes"] == ["Seed 4 of elu was trained twice: second counts, first does not."]


def test_unfinished_runs_are_shown_and_not_counted(study: Path) -> None:
    three(study, seeds=5)
    make_run(study, "mish", [0.1] * 5, state="interrupted", step=1000)
    report = said_of(study)
    assert "mish" not in [r["name"] for r in report["settings"][0]["rows"]]
    (run,) = [run for run in report["runs"] if run["candidate"] == "mish"]
    assert (run["counted"], run["exclusion_reason"]) == (False, "interrupted at step 1,000 of 2,000")


def test_unfinished_runs_at_one_and_the_same_step_are_compared(study: Path) -> None:
    for name, score in (("elu", 1.0), ("relu", 2.0)):
        make_run(study, name, [score] * 5, state="interrupted", step=1000)
    assert [r["name"] for r in said_of(study)["settings"][0]["rows"]] == ["elu", "relu"]


def test_a_study_without_a_finished_run_says_so(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, state="running", step=1000)
    make_run(study, "relu", [1.0] * 5, state="running", step=500)
    with pytest.raises(GanLabError, match=r"no run of .* has finished"):
        said_of(study)


# What must not be mixed


def test_different_extractors_are_refused(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    other = {"features": {"name": "classifier", "hash": "ffff", "dimensions": 32}}
    make_run(study, "relu", [1.0] * 5, results=other)
    with pytest.raises(GanLabError, match=r"activation=elu .*0f3c0f3c0f3c0f3c.*activation=relu .*ffff"):
        said_of(study)


def test_different_sample_counts_are_refused(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [1.0] * 5, results={"samples": {"fake": 5, "real": 5, "reference": "held-out"}})
    with pytest.raises(GanLabError, match=r"activation=elu .*597.*activation=relu .*5 samples"):
        said_of(study)


def test_runs_that_disagree_on_the_metric_are_refused_unless_one_is_named(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, metrics={"kid": metric(0.1)})
    make_run(study, "relu", [1.0] * 5, metrics={"kid": metric(0.2)}, changes={"report.primary": "kid"})
    with pytest.raises(GanLabError, match=r"activation=elu .* fid .*activation=relu kid"):
        said_of(study)
    report = said_of(study, primary_asked="kid")
    assert report["primary"]["name"] == "kid"
    assert report["primary"]["post_hoc"]


def test_an_unknown_metric_is_refused_with_those_there_are(study: Path) -> None:
    three(study, seeds=5)
    with pytest.raises(GanLabError, match=r"'fud' was not measured .* fid"):
        said_of(study, primary_asked="fud")


def test_a_run_that_was_not_measured_is_refused_with_the_command(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [1.0] * 5, measured=False)
    with pytest.raises(GanLabError, match=r"seed_0 has no results.json: gan-lab evaluate .* and 4 more"):
        said_of(study)


def test_scores_of_an_earlier_step_are_refused(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [1.0] * 5, results={"step": 1000})
    with pytest.raises(GanLabError, match=r"measured at step 1000, but stands at 2000"):
        said_of(study)


def test_a_reference_that_is_not_in_the_study(study: Path) -> None:
    make_run(study, "tanh", [2.0] * 5)
    make_run(study, "elu", [1.0] * 5)
    report = said_of(study)
    assert report["reference"]["name"] == "elu"
    assert report["notes"][0].startswith("The reference relu is not in the study")
    with pytest.raises(GanLabError, match=r"--reference must be one of elu, tanh, got 'relu'"):
        said_of(study, reference_asked="relu")
    chosen = said_of(study, reference_asked="tanh")["reference"]
    assert chosen == {"name": "tanh", "post_hoc": True, "declared": "relu"}


# Beside the ranking


def test_precision_is_never_shown_without_recall_and_coverage(study: Path) -> None:
    alone = {"precision": metric(0.9, 0.95, "max"), "recall": metric(0.8, 0.9, "max")}
    for name in ("elu", "relu"):
        make_run(study, name, [1.0] * 5, metrics=alone)
    report = said_of(study)
    columns = report["settings"][0]["secondary"]["columns"]
    assert [column["name"] for column in columns] == ["recall"]
    assert columns[0]["real_data"] == 0.9
    assert report["settings"][0]["secondary"]["values"]["elu"] == {"recall": 0.8}
    assert "precision is not shown: it says nothing without recall and coverage." in report["notes"]


def test_health_is_the_mean_of_the_last_diagnostics(study: Path) -> None:
    make_run(study, "relu", [1.0] * 5, name="a", health=0.2)
    make_run(study, "relu", [1.0] * 5, name="b", first=5, health=0.4)
    make_run(study, "elu", [1.0] * 5)
    told = said_of(study)["settings"][0]["health"]
    assert list(told) == ["generator", "discriminator"]
    assert told["generator"]["sites"] == list(SITES)
    relu = told["generator"]["candidates"]["relu"]
    assert relu["sites"]["dead"] == pytest.approx([0.3, 0.3])
    assert relu["sites"]["saturated"] == pytest.approx([0.3, 0.6])
    # Geometric: 10^-1 and 10^-2 give 10^-1.5.
    assert relu["gradient_ratio"] == pytest.approx(10**-1.5)


def test_the_wall_shows_the_same_noise_in_each_column(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, first=2)
    make_run(study, "relu", [2.0] * 5)
    report = said_of(study)
    wall = report["settings"][0]["wall"]
    assert (wall["seed"], wall["same_noise"], wall["columns"]) == (2, True, PICTURED)
    assert [wall_row["step"] for wall_row in wall["rows"]] == [STEPS[-1]] * 2
    for strip in pictures(report).values():
        cells = np.asarray(Image.open(io.BytesIO(strip)).convert("L"))
        size = cells.shape[0]
        for cell in range(PICTURED):
            shown = cells[:, cell * (size + 2) : cell * (size + 2) + size]
            assert shown.shape == (size, size)
            assert set(shown.ravel().tolist()) == {shade(2, cell)}


def test_the_wall_is_also_one_picture_with_everything_in_it(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [2.0] * 5)
    report = said_of(study)
    strips = pictures(report)
    (picture,) = walls(report, strips).values()
    shown = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    for strip in strips.values():
        there = np.unique(np.asarray(Image.open(io.BytesIO(strip)).convert("L")))
        for level in there:
            assert (shown == level).mean() > 0.001


def test_points_are_shown_whole(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, points=True)
    wall = said_of(study)["settings"][0]["wall"]
    assert wall["kind"] == "points"
    assert wall["rows"][0]["boxes"] == [[0, 0, 40, 40]]


def test_commands_repeat_a_run_as_it_was_typed(study: Path) -> None:
    make_run(study, "it's $mine", [1.0] * 5)
    make_run(study, "relu", [1.0] * 5, recorded=False)
    found = {run["candidate"]: run for run in said_of(study)["runs"]}
    typed = shlex.split(found["it's $mine"]["command"])
    assert typed == ["gan-lab", "train", "activation=it's $mine", "seeds=5"]
    assert not found["relu"]["exact"]
    rebuilt = shlex.split(found["relu"]["command"])
    assert {"activation=relu", "dataset=digits", "seeds=5", "steps=2000"} <= set(rebuilt)


def test_the_protocol_and_the_limits_come_from_the_runs(study: Path) -> None:
    three(study, seeds=5)
    report = said_of(study)
    told = dict(report["protocol"])
    assert told["learning rate"] == "0.0002"
    assert told["seeds"] == "0 to 4"
    assert "0f3c0f3c0f3c0f3c" in told["features"]
    assert told["samples"] == "597 generated against 597 real (held-out)"
    assert any("same learning rate (0.0002)" in limit for limit in report["limits"])
    assert any("One data set (digits)" in limit for limit in report["limits"])
    assert "9,999 resamples" in report["method"][0]


# Files


def test_everything_is_written_and_json_is_strict(study: Path, tmp_path: Path) -> None:
    make_run(study, "relu", [2.0] * 5, metrics={"kid": metric(None)})
    make_run(study, "elu", [1.0] * 5, diverged={0: 100, 1: 100, 2: 100}, metrics={"kid": metric(0.1)})
    out = tmp_path / "elsewhere"
    report = write(read_study(study, check=Run.verify), out)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads((out / "report.json").read_text(), parse_constant=refuse) == report
    lines = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert len(lines) == 2 * 5 * 2  # runs, seeds, metrics
    first = next(line for line in lines if line["run"] == "activation=relu" and line["metric"] == "fid")
    assert (first["last"], first["real_data"], first["hash"]) == ("2.0", "0.31", "0f3c0f3c0f3c0f3c")
    assert {line["state"] for line in lines if line["activation"] == "elu"} == {"finished", "diverged"}
    for name in ("forest-1", "curves-1", "health-1"):
        assert (out / "figures" / f"{name}.svg").read_text().rstrip().endswith("</svg>")
        with Image.open(out / "figures" / f"{name}.png") as picture:
            picture.load()
    assert report["verdict"]["text"] in (out / "index.html").read_text()


def test_a_report_is_the_same_twice(study: Path) -> None:
    three(study, seeds=5)
    first, second = said_of(study), said_of(study)
    assert {**first, "written": ""} == {**second, "written": ""}


def test_names_are_text_wherever_they_stand(study: Path, tmp_path: Path) -> None:
    make_run(study, EVIL, [1.0] * 5, name="evil", changes={"study": EVIL}, reason=EVIL, state="failed")
    make_run(study, '$a_b$ & "c"\'', [2.0] * 5, name="odd")
    report = write(read_study(study, check=Run.verify), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert EVIL in [r["name"] for r in report["settings"][0]["rows"]]
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in (tmp_path / "out" / "figures" / "forest-1.svg").read_text()


def test_the_page_fetches_nothing_and_its_ids_are_its_own(study: Path, tmp_path: Path) -> None:
    three(study, seeds=5)
    write(read_study(study, check=Run.verify), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources
    assert all(source.startswith(("data:image/png;base64,", "#")) for source in sources)
    assert "@import" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', page))
    assert used <= set(ids)
    assert page.count("<img") == page.count('alt="')


def test_every_line_of_the_csv_names_its_run(study: Path) -> None:
    make_run(study, "relu", [2.0] * 5)
    make_run(study, "elu", [2.0] * 5, measured=False, state="failed", step=10)
    lines = table(read_study(study, check=Run.verify))
    assert [line["state"] for line in lines] == ["failed"] * 5 + ["finished"] * 5
    assert all(line["run"] and line["seed"] is not None for line in lines)


# The command


def test_the_command_prints_verdict_table_and_page(study: Path, run_cli: Cli) -> None:
    three(study)
    code, out, err = run_cli("report", "study")
    assert (code, err) == (0, "")
    assert out.startswith("elu is the best of 3 candidates by fid")
    lines = out.splitlines()
    assert re.split(r"\s{2,}", lines[2].strip())[:3] == ["activation", "fid (IQM)", "interval"]
    assert [line.split()[0] for line in lines[3:6]] == ["elu", "relu", "tanh"]
    assert lines[-1] == "page: outputs/study/report/index.html"
    assert (study / "report" / "index.html").exists()


def test_the_command_prints_json_and_marks_what_was_chosen_after_the_runs(study: Path, run_cli: Cli) -> None:
    three(study, seeds=5, metrics={"kid": metric(0.1, 0.0)})
    code, out, _ = run_cli(
        "report", str(study), "--json", "--primary", "kid", "--reference", "elu", "-o", "o"
    )
    assert code == 0
    assert json.loads(out) == json.loads(Path("o/report.json").read_text())
    page = Path("o/index.html").read_text()
    assert page.count("Chosen after the runs.") == 2


def test_the_command_refuses_in_one_sentence(study: Path, run_cli: Cli) -> None:
    three(study, seeds=5)
    code, out, err = run_cli("report", "nothing")
    assert (code, out) == (2, "")
    assert err == "gan-lab: there is no study 'nothing'; the studies under outputs/ are study\n"
    (study / "activation=elu" / "seed_0" / "results.json").write_text("{")
    code, out, err = run_cli("report", "study")
    assert code == 0
    assert "activation=elu" in json.loads((study / "report" / "report.json").read_text())["damaged"]
