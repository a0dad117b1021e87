"""How the runs were made, and the commands that make them again."""

import shlex
from pathlib import Path

from gan_lab.report.page import page
from gan_lab.report.terminal import lines
from gan_lab.report.write import picture_strips
from tests.helpers.reports import make_three, report_on
from tests.helpers.synthetic import draws, make_run, metric


def test_methods_and_limitations_come_from_the_runs(study: Path) -> None:
    make_three(study, seeds=5, facts={"data_fingerprint": "abcdef0123" * 6, "data_samples": 1200})
    report = report_on(study)
    methods = dict(report["methods"])
    assert methods["learning rate"] == "0.0002"
    assert methods["seeds"] == "0 to 4"
    assert methods["engine"] == "vmap, eager"
    assert methods["training data"] == "1,200 samples, fingerprint abcdef01"
    assert "0f3c0f3c0f3c0f3c" in methods["features"]
    assert methods["samples"] == "597 generated against 597 real (held-out)"
    assert any("same learning rate (0.0002)" in limitation for limitation in report["limitations"])
    assert any("One data set (digits)" in limitation for limitation in report["limitations"])


def test_statistics_are_described_as_far_as_they_were_used(study: Path) -> None:
    make_three(study, seeds=5, untrained=40.0)
    texts = report_on(study)["statistics"]
    starts = [text.partition(":")[0] for text in texts]
    assert starts[:4] == [
        "IQM",
        "A run that failed, was interrupted or is running is missing",
        "Learned",
        "Best",
    ]
    assert "9,999 resamples; random generators seeded with 0." in texts
    assert any("at least 5% of the way to real data" in text for text in texts)
    assert not any(start in ("Equivalent", "Over all settings", "At its own best value") for start in starts)


def test_commands_repeat_a_run_as_it_was_typed(study: Path) -> None:
    make_run(study, "it's $mine", [1.0] * 5)
    make_run(study, "relu", [1.0] * 5, recorded=False)
    runs = {run["candidate"]: run for run in report_on(study)["runs"]}
    typed = shlex.split(runs["it's $mine"]["command"])
    assert typed == ["gan-lab", "train", "activation=it's $mine", "seeds=5"]
    assert not runs["relu"]["exact"]
    rebuilt = shlex.split(runs["relu"]["command"])
    assert {"activation=relu", "dataset=digits", "seeds=5", "steps=2000"} <= set(rebuilt)


def test_a_schedule_keeps_its_length_when_a_run_is_to_go_on(study: Path) -> None:
    schedule = {"schedule._target_": "gan_lab.gan.LinearDecay", "schedule.length": 1000}
    make_run(study, "relu", [1.0] * 5, changes=schedule, step=2000)
    folder = make_run(study, "elu", [2.0] * 5, changes=schedule, step=1000, steps=1000)
    record = folder / ".hydra" / "overrides.yaml"
    record.write_text("- activation=elu\n- schedule=linear\n- steps=1000\n")
    (command,) = report_on(study)["verdict"]["commands"]
    assert command == "gan-lab train activation=elu schedule=linear schedule.length=1000 steps=2000"


def test_what_flatters_and_what_is_not_independent_is_said(study: Path) -> None:
    make_three(study, seeds=5)
    before = report_on(study)["limitations"]
    facts = {"initial_weights": {"generator": "8 of 8 tensors", "discriminator": "fresh"}}
    make_run(study, "mish", [1.0] * 5, changes={"keep_best": True, "init_from": "trained"}, facts=facts)
    report = report_on(study)
    added = [text for text in report["limitations"] if text not in before]
    assert [text for text in added if "(keep_best)" in text and "flatters" in text]
    assert [text for text in added if "(init_from)" in text and "less independent" in text]
    assert (
        dict(report["methods"])["initial weights"] == "trained: generator 8 of 8 tensors, discriminator fresh"
    )


def test_commands_from_runs_of_another_machine_are_marked_beside_them(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [2.0] * 5, state="failed", step=10)
    report = report_on(study)
    assert report["verdict"]["commands"]
    assert report["origin"] == ""
    assert 'class="origin"' not in page(report, {}, picture_strips(report))
    make_run(study, "tanh", [1.0] * 5, facts={"host": "elsewhere"})
    report = report_on(study)
    assert "another machine ('elsewhere')" in report["origin"]
    printed = list(lines(report))
    index = next(number for number, line in enumerate(printed) if line.startswith("complete it with: "))
    assert report["origin"] in printed[index : index + 2]
    assert page(report, {}, picture_strips(report)).count('class="origin"') >= 2


def test_fresh_seeds_cover_all_settings_in_one_sweep(study: Path) -> None:
    for rate in (0.001, 2e-4, 1e-4):
        for name, score in (("elu", 60.0), ("relu", 100.0)):
            own = {"name": f"{name}-{rate}", "changes": {"optimizer.lr": rate}}
            make_run(study, name, draws(score, 3, 8, round(score)), untrained=500.0, **own)
    assert report_on(study)["verdict"]["rerun"]["commands"] == [
        "gan-lab train -m activation=elu optimizer.lr=0.0001,0.0002,0.001 seed=8 seeds=8 study=study_fresh"
    ]


def test_settings_that_are_no_sweep_get_a_command_each(study: Path) -> None:
    for rate, batch in ((1e-4, 32), (2e-4, 64)):
        for name, score in (("elu", 60.0), ("relu", 100.0)):
            own = {"name": f"{name}-{rate}", "changes": {"optimizer.lr": rate, "batch_size": batch}}
            make_run(study, name, draws(score, 3, 8, round(score)), untrained=500.0, **own)
    commands = report_on(study)["verdict"]["rerun"]["commands"]
    assert len(commands) == 2
    assert all(" -m " not in command for command in commands)
    assert "optimizer.lr=0.0002 batch_size=64" in commands[1]


def test_the_glossary_holds_what_the_metrics_say_of_themselves(study: Path) -> None:
    meaning = {"meaning": "distance of means and covariances", "range": "0 to infinity"}
    make_three(study, spec=meaning, untrained=40.0, metrics={"kid": metric(0.1)})
    fid, kid = report_on(study)["glossary"]
    assert fid == {
        "name": "fid",
        **meaning,
        "direction": "min",
        "real_data": [0.31, 0.31],
        "untrained": [40.0, 40.0],
    }
    assert (kid["name"], kid["meaning"], kid["untrained"]) == ("kid", "", None)
