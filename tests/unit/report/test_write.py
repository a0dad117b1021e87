"""The files of a report."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_lab.report.entries import study_runs
from gan_lab.report.tables import escape_latex, results_rows, to_csv
from gan_lab.report.terminal import lines
from gan_lab.report.write import picture_strips, read_runs, sample_grids, write
from gan_lab.utils.errors import GanLabError
from tests.helpers.reports import make_three, ranked, report_on
from tests.helpers.synthetic import PICTURED, STEPS, make_run, metric, shade

EVIL = "<script>alert(1)</script>"


def test_everything_is_written_and_json_is_strict(study: Path, tmp_path: Path) -> None:
    make_run(study, "relu", [2.0] * 5, metrics={"kid": metric(None)})
    make_run(study, "elu", [1.0] * 5, diverged={0: 100, 1: 100, 2: 100}, metrics={"kid": metric(0.1)})
    out = tmp_path / "elsewhere"
    report = write(read_runs(study), out)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    assert json.loads((out / "report.json").read_text(), parse_constant=refuse) == report
    for name in ("forest-1", "forest-1-narrow", "curves-1", "panels-1", "health-1"):
        assert (out / "figures" / f"{name}.svg").read_text().rstrip().endswith("</svg>")
        with Image.open(out / "figures" / f"{name}.png") as picture:
            picture.load()
    page = (out / "index.html").read_text()
    assert report["verdict"]["text"] in page
    # No raw infinity, in the page or on the terminal.
    assert not re.search(r"\binf\b|\bnan\b", page + "\n".join(lines(report)), re.IGNORECASE)


def test_a_report_is_the_same_twice(study: Path) -> None:
    make_three(study, seeds=5)
    first, second = report_on(study), report_on(study)
    assert {**first, "written": ""} == {**second, "written": ""}


def test_names_are_text_wherever_they_stand(study: Path, tmp_path: Path) -> None:
    make_run(study, EVIL, [1.0] * 5, name="evil", changes={"study": EVIL})
    make_run(study, EVIL, [1.0] * 5, name="evil2", first=5, reason=EVIL, state="failed", step=500)
    make_run(study, '$a_b$ & "c"\'', [2.0] * 5, name="odd")
    report = write(read_runs(study), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    assert EVIL in ranked(report)
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in (tmp_path / "out" / "figures" / "forest-1.svg").read_text()


def test_the_page_fetches_nothing_and_its_ids_are_its_own(study: Path, tmp_path: Path) -> None:
    make_three(study, seeds=5)
    write(read_runs(study), tmp_path / "out")
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


def test_every_p_value_of_the_verdict_stands_in_the_page(study: Path, tmp_path: Path) -> None:
    make_three(study, untrained=40.0, metrics={"kid": metric(0.1)})
    report = write(read_runs(study), tmp_path / "out", margin="0.1")
    page = (tmp_path / "out" / "index.html").read_text()
    for header in (
        "p (the best beats it)",
        "p (worse)",
        "p against it (Holm)",
        "p (learned)",
        "p (equivalent)",
    ):
        assert f'<th scope="col">{header}</th>' in page
    assert '<th scope="col">p (still improving)</th>' in page
    for part in report["verdict"]["sentences"]:
        assert part["text"].replace("'", "&#39;").replace("<", "&lt;") in page


def test_columns_that_say_nothing_are_left_out(study: Path, tmp_path: Path) -> None:
    for name in ("elu", "relu"):
        make_run(study, name, [1.0, 2.0, 3.0], curves={2000: [1.0, 2.0, 3.0]})
    write(read_runs(study), tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text()
    for header in ("p (worse)", "equivalent", "diverged", "best on the way", "mean over training"):
        assert f">{header}</th>" not in page
    assert ">seeds</th>" in page


@pytest.mark.parametrize("formats", [("pdf",), ("png", "svg", "pdf", "tex")])
def test_figures_come_in_the_formats_that_were_asked_for(
    study: Path, tmp_path: Path, formats: tuple[str, ...]
) -> None:
    make_three(study, seeds=5)
    write(read_runs(study), tmp_path / "out", formats=formats)
    found = {path.suffix.removeprefix(".") for path in (tmp_path / "out" / "figures").glob("forest-1.*")}
    assert found == set(formats) - {"tex"}
    pdf = (tmp_path / "out" / "figures" / "forest-1-narrow.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert b"/FontFile2" in pdf  # TrueType, embedded
    assert b"/Type3" not in pdf
    assert (tmp_path / "out" / "figures" / "ranking.tex").exists() == ("tex" in formats)


def test_an_unknown_format_is_refused(study: Path, tmp_path: Path) -> None:
    make_three(study, seeds=5)
    with pytest.raises(GanLabError, match="--format must be one of png, svg, pdf, tex, got 'gif'"):
        write(read_runs(study), tmp_path / "out", formats=["gif"])


def test_the_latex_table_holds_the_ranking(study: Path, tmp_path: Path) -> None:
    make_three(study, seeds=6)
    make_run(study, "a_b%", [9.5 + 0.1 * k for k in range(6)])
    report = write(read_runs(study), tmp_path / "out", formats=("tex",))
    text = (tmp_path / "out" / "figures" / "ranking.tex").read_text()
    assert text.count(r"\\") == 1 + len(report["settings"][0]["rows"])
    assert r"a\_b\%" in text
    first = report["settings"][0]["rows"][0]
    assert f"elu & {first['iqm']:#.3g} & " in text
    assert escape_latex(r"\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"


# The CSV


def test_the_csv_is_tidy_one_line_per_run_seed_and_metric(study: Path, tmp_path: Path) -> None:
    for rate in (1e-4, 2e-4):
        own = {"name": f"relu-{rate}", "changes": {"optimizer.lr": rate}}
        make_run(study, "relu", [2.0] * 5, metrics={"kid": metric(0.2)}, untrained=40.0, **own)
    make_run(study, "elu", [2.0] * 5, measured=False, state="failed", step=10, changes={"optimizer.lr": 1e-4})
    write(read_runs(study), tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").read_text().splitlines()))
    assert len(rows) == 2 * 5 * 2 + 5
    first = next(row for row in rows if row["activation"] == "relu" and row["metric"] == "fid")
    assert (first["last"], first["real_data"], first["hash"]) == ("2.0", "0.31", "0f3c0f3c0f3c0f3c")
    assert (first["setting.optimizer.lr"], first["untrained"], first["counted"]) == ("0.0001", "40.0", "True")
    missing = [row for row in rows if row["activation"] == "elu"]
    assert {(row["state"], row["counted"], row["metric"]) for row in missing} == {("failed", "False", "")}
    assert all(row["run"] and row["seed"] for row in rows)


def test_nothing_in_the_csv_is_a_formula(study: Path) -> None:
    make_run(study, '=HYPERLINK("http://x")', [-2.0] * 2, name="+1")
    make_run(study, "@SUM(1)", [2.0] * 2, name="-2")
    make_run(study, "\uff1dSUM(1)", [2.0] * 2, name="@3")
    text = to_csv(results_rows(study_runs(read_runs(study).runs)))
    for row in csv.DictReader(io.StringIO(text)):
        assert row["activation"].startswith("'")
        assert row["run"].startswith("'")
        # Negative numbers stay numbers.
        assert float(row["last"]) in (-2.0, 2.0)


# Samples


def test_samples_show_the_same_noise_in_each_column(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, first=2)
    make_run(study, "relu", [2.0] * 5)
    report = report_on(study)
    samples = report["settings"][0]["samples"]
    assert (samples["seed"], samples["same_noise"], samples["columns"]) == (2, True, PICTURED)
    assert [one["step"] for one in samples["rows"]] == [STEPS[-1]] * 2
    for strip in picture_strips(report).values():
        cells = np.asarray(Image.open(io.BytesIO(strip)).convert("L"))
        size = cells.shape[0]
        for cell in range(PICTURED):
            shown = cells[:, cell * (size + 2) : cell * (size + 2) + size]
            assert shown.shape == (size, size)
            assert set(shown.ravel().tolist()) == {shade(2, cell)}


def test_samples_are_also_one_picture_with_everything_in_it(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [2.0] * 5)
    report = report_on(study)
    strips = picture_strips(report)
    (picture,) = sample_grids(report, strips).values()
    shown = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    for strip in strips.values():
        for level in np.unique(np.asarray(Image.open(io.BytesIO(strip)).convert("L"))):
            assert (shown == level).mean() > 0.001


def test_points_are_shown_whole(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5, points=True)
    samples = report_on(study)["settings"][0]["samples"]
    assert samples["kind"] == "points"
    assert samples["rows"][0]["boxes"] == [[0, 0, 40, 40]]


def test_pictures_that_are_gone_are_missing_and_one_that_is_cut_off_costs_its_run(
    study: Path, tmp_path: Path
) -> None:
    make_three(study, seeds=5)
    for seed in range(5):
        (study / "activation=elu" / f"seed_{seed}" / "samples" / "step_002000.png").unlink()
    report = write(read_runs(study), tmp_path / "out")
    assert report["settings"][0]["samples"]["missing"] == ["elu"]
    assert ranked(report) == ["elu", "relu", "tanh"]
    path = study / "activation=tanh/seed_3/samples/step_002000.png"
    path.write_bytes(path.read_bytes()[:60])
    runs = read_runs(study)
    assert list(runs.damaged) == ["activation=tanh"]
    assert ranked(write(runs, tmp_path / "out")) == ["elu", "relu"]
