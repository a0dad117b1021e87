"""What the README says the lab found is what `gan-lab report` wrote, in files under .github/findings."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from gan_lab.report.text import interval, score
from tests.helpers.readme import README

FOLDER = Path(__file__).parents[2] / ".github" / "findings"
STUDIES = sorted(path.name for path in FOLDER.iterdir())
SECTION = README[README.index("## What the lab found") : README.index("## How to read a report")]
TEXT = re.sub(r"\s+", " ", SECTION)


def report(study: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / study / "report.json").read_text())
    return found


@pytest.mark.parametrize("study", STUDIES)
def test_every_study_has_its_command_and_no_path_of_a_machine(study: str) -> None:
    assert re.search(rf"gan-lab train [^\n]*\b{study}\b", SECTION), f"{study} has no command"
    for name in ("report.json", "results.csv"):
        text = (FOLDER / study / name).read_text()
        assert "/tmp" not in text
        assert "/home" not in text
        assert "/root" not in text


@pytest.mark.parametrize("study", STUDIES)
def test_scores_of_every_seed_are_those_of_the_report(study: str) -> None:
    found = report(study)
    metric = found["primary"]["name"]
    with (FOLDER / study / "results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == metric]
    assert len(rows) == sum(len(run["seeds"]) for run in found["runs"])
    in_report = sorted(
        row["value"] for s in found["settings"] for candidate in s["rows"] for row in candidate["scores"]
    )
    in_table = sorted(float(row["last"]) for row in rows)
    assert in_report
    assert set(in_report) <= set(in_table)


@pytest.mark.parametrize("study", [study for study in STUDIES if study not in ("ring_race", "cost")])
def test_the_verdict_is_the_reports_word_for_word(study: str) -> None:
    found = report(study)
    texts = [setting["verdict"]["text"] for setting in found["settings"]]
    assert any(text in TEXT for text in [found["verdict"]["text"], *texts])


def rows(study: str) -> dict[str, Any]:
    """A study of one setting: what its report says of each candidate."""
    (setting,) = report(study)["settings"]
    return {row["name"]: row for row in setting["rows"]} | {row["name"]: row for row in setting["unranked"]}


@pytest.mark.parametrize("study", ["activations_on_digits", "ring_fixed", "activations_on_mnist"])
def test_every_candidate_stands_in_a_table_with_its_score_and_interval(study: str) -> None:
    for name, row in rows(study).items():
        (line,) = re.findall(
            rf"^\| (?:\*\*)?{name}\b.*\| {score(row['iqm'])}[^.\d].*$", SECTION, re.MULTILINE
        )
        if row.get("interval"):
            assert f"{score(row['iqm'])} ({interval(row['interval'])})" in line


@pytest.mark.parametrize("study", ["initialization_matters", "learning_rate_sensitivity"])
def test_a_table_has_a_column_for_each_setting(study: str) -> None:
    table = SECTION[SECTION.index(f"experiment={study} ") :]
    table = table[: table.index("\n\n", table.index("| --- |"))]
    settings = report(study)["settings"]
    for name in {row["name"] for setting in settings for row in setting["rows"]}:
        (line,) = re.findall(rf"^\| {name} \|.*$", table, re.MULTILINE)
        found = [{row["name"]: row for row in setting["rows"]}[name] for setting in settings]
        assert [cell.strip() for cell in line.split("|")[2:-1]] == [
            f"{score(row['iqm'])} ({interval(row['interval'])})" for row in found
        ]


def test_what_the_ring_showed_on_the_way_and_in_other_metrics() -> None:
    (setting,) = report("ring_fixed")["settings"]
    for name, values in setting["secondary"]["values"].items():
        curve = setting["curves"][name]
        early = curve["iqm"][curve["step"].index(4000)]
        (line,) = re.findall(rf"^\| {name}\b.*$", ring_table(), re.MULTILINE)
        cells = [cell.strip(" *") for cell in line.split("|")]
        assert cells[3] == score(early)
        assert cells[4:7] == [
            f"{values['modes']:.1f}",
            f"{values['modes_strict']:.1f}",
            f"{100 * values['frac_high_quality']:.0f} %",
        ]


def test_elu_improved_on_the_ring_though_not_enough() -> None:
    with (FOLDER / "ring_fixed" / "results.csv").open(newline="") as file:
        elu = [r for r in csv.DictReader(file) if r["metric"] == "mode_js" and r["activation"] == "elu"]
    better = sum(float(row["last"]) < float(row["untrained"]) for row in elu)
    assert f"{better} of its {len(elu)} seeds score better than before training, but only 15" in TEXT
    assert "15 of 32 seeds have come 5% of the way" in report("ring_fixed")["verdict"]["text"]


def ring_table() -> str:
    return SECTION[SECTION.index("at 4,000 steps | modes") : SECTION.index("`mode_js` is a divergence")]


def test_the_race_is_the_reports() -> None:
    race = report("ring_race")["race"]
    share = f"{100 * race['seeds'] / race['most_seeds']:.0f} %"
    assert f"{race['seeds']} of its {race['most_seeds']} seeds ({share})" in TEXT
    for done in race["rounds"]:
        (line,) = re.findall(
            rf"^round {done['round']}, {done['seeds']} seeds each, .*$", SECTION, re.MULTILINE
        )
        out = [f"{one['name']} (worse than {one['beaten_by']})" for one in done["out"]] or ["nobody"]
        assert line.endswith(f"out {', '.join(out)}; in {', '.join(done['in'])}")


def test_classes_and_coverage_on_mnist() -> None:
    for name, values in report("activations_on_mnist")["settings"][0]["secondary"]["values"].items():
        assert re.search(
            rf"^\| {name} .*\| {values['class_kl']:.2f} \| {values['coverage']:.2f} \|$",
            SECTION,
            re.MULTILINE,
        )


def test_the_discriminators_matter_more() -> None:
    (setting,) = report("generator_vs_discriminator")["settings"]
    grid = setting["grid"]
    margin = dict(zip(grid["discriminators"], grid["discriminator_margin"], strict=True))
    low, high = (f(margin[name] for name in ("leaky_relu", "prelu", "relu")) for f in (min, max))
    assert f"is {low:.3f} to {high:.3f} with leaky_relu, prelu or relu in the discriminator" in TEXT
    assert f"and {margin['elu']:.3f}, {margin['tanh']:.3f} and {margin['sigmoid']:.3f} with elu, tanh" in TEXT
    tanh, sigmoid = (grid["generator_margin"][grid["generators"].index(name)] for name in ("tanh", "sigmoid"))
    assert f"from {tanh:.3f} (tanh) to {sigmoid:.3f} (sigmoid)" in TEXT
    by_name = {row["name"]: row for row in setting["rows"]}
    best = [by_name[f"tanh / {name}"] for name in ("relu", "prelu", "leaky_relu", "elu")]
    low, high = (f(row["iqm"] for row in best) for f in (min, max))
    p = max(row["p_holm"] for row in best)
    assert f"{low:.3f} to {high:.3f}, better than relu in both ({score(by_name['relu']['iqm'])}; " in TEXT
    assert f"p at most {p:.3f}, corrected" in TEXT
    both = setting["curves"]["tanh"]["iqm"]
    assert f"it comes to {min(both):.3f} at half of the training" in TEXT
    assert min(row[grid["discriminators"].index("tanh")] for row in grid["values"]) > 0.45


def test_the_cost_is_that_of_a_fair_comparison() -> None:
    cost = report("cost")["settings"][0]["cost"]
    assert cost["fair"]
    (line,) = re.findall(r"^\| ReLU is cheap.*$", SECTION, re.MULTILINE)
    said = dict(re.findall(r"([a-z_]+) (\d+\.\d)(?: ms)?(?=[, ])", line))
    assert said == {name: f"{row['ms_per_step']:.1f}" for name, row in cost["rows"].items()}


def test_the_claims_are_the_numbers_of_the_reports() -> None:
    health = {
        study: report(study)["settings"][0]["health"]["generator"]["candidates"]
        for study in ("ring_fixed", "activations_on_digits")
    }
    ring, digits = health.values()

    def number(value: float) -> str:
        return f"{value:#.2g}"

    def ratio(network: dict[str, Any], name: str) -> str:
        return number(network[name]["at_start"]["gradient_ratio"])

    def at_end(network: dict[str, Any], name: str) -> str:
        return number(network[name]["gradient_ratio"])

    def dead(network: dict[str, Any], name: str) -> str:
        share = 100 * network[name]["all"]["dead"]
        return f"{share:.0f} %" if share > 10 or share < 0.05 else f"{share:.1f} %"

    start, end = ring["identity"]["at_start"]["scale"], ring["identity"]["scale"]
    scores = {name: score(row["iqm"]) for name, row in rows("activations_on_digits").items()}
    curve = report("activations_on_digits")["settings"][0]["curves"]["identity"]
    early = score(curve["iqm"][curve["step"].index(500)])
    for words in (
        f"the first layer's gradient is {ratio(ring, 'sigmoid')} of the last one's on the ring and "
        f"{ratio(digits, 'sigmoid')} on digits (relu: {ratio(ring, 'relu')} and {ratio(digits, 'relu')}), "
        f"at the end {float(at_end(ring, 'sigmoid')):f} and {at_end(digits, 'sigmoid')} "
        f"(relu: {at_end(ring, 'relu')} and {at_end(digits, 'relu')})",
        f"{ratio(ring, 'tanh')} and {ratio(digits, 'tanh')} before training, "
        f"{at_end(ring, 'tanh')} and {at_end(digits, 'tanh')} at the end",
        f"{dead(ring, 'relu')} of the units are dead on the ring",
        f"dead on the ring: {dead(ring, 'leaky_relu')}, {dead(ring, 'prelu')}, {dead(ring, 'elu')}",
        f"a standard deviation of {min(start):.2f} to {max(start):.1f} at the start on the ring and "
        f"{min(end):.2f} to {max(end):.2f} at the end",
        f"fid {early} at step 500 and {scores['identity']} at the end",
    ):
        assert words in TEXT
    assert all(digits[name]["all"]["dead"] == 0 for name in digits)
