"""Candidates and settings: what is compared, and where it was tried."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.reports import make_three, ranked, report_on
from tests.helpers.synthetic import draws, make_run

ANCHORS: dict[str, Any] = {"untrained": 500.0, "real_data": 19.0}


def test_players_that_differ_are_named_in_pairs_and_make_a_grid(study: Path) -> None:
    scores = {("elu", "elu"): 1.0, ("elu", "relu"): 2.0, ("relu", "elu"): 5.0, ("relu", "relu"): 6.0}
    for (generator, discriminator), score in scores.items():
        make_run(study, generator, [score] * 8, discriminator=discriminator)
    report = report_on(study)
    assert ranked(report) == ["elu", "elu / relu", "relu / elu", "relu"]
    grid = report["settings"][0]["grid"]
    assert (grid["generators"], grid["discriminators"]) == (["elu", "relu"], ["elu", "relu"])
    assert grid["values"] == [[1.0, 2.0], [5.0, 6.0]]
    # IQMs of eight and eight equal scores pooled: the mean of both, as a quarter of each is cut.
    assert grid["generator_margin"] == [1.5, 5.5]
    assert grid["discriminator_margin"] == [3.0, 4.0]


def test_a_pair_that_is_missing_leaves_the_grid_without_margins(study: Path) -> None:
    for generator, discriminator in (("elu", "elu"), ("elu", "relu"), ("relu", "relu")):
        make_run(study, generator, [1.0] * 5, discriminator=discriminator)
    grid = report_on(study)["settings"][0]["grid"]
    assert grid["generator_margin"] is None
    assert sorted(known for line in grid["tried"] for known in line) == [False, True, True, True]


def test_a_study_of_one_activation_in_both_players_has_no_grid(study: Path) -> None:
    make_three(study, seeds=5)
    assert report_on(study)["settings"][0]["grid"] is None


def test_a_parameter_that_varies_under_one_name_is_told(study: Path) -> None:
    make_run(study, "relu", [3.0] * 5)
    make_run(study, "elu", [1.0] * 5, name="a", own={"alpha": 1.0})
    make_run(study, "elu", [2.0] * 5, name="b", own={"alpha": 0.5})
    assert ranked(report_on(study)) == ["elu (alpha=1)", "elu (alpha=0.5)", "relu"]


def in_settings(study: Path, *settings: dict[str, Any], **own: Any) -> list[str]:
    """Write elu and relu in each setting; return how the report names the settings."""
    for number, changes in enumerate(settings):
        for name in ("elu", "relu"):
            make_run(study, name, [1.0] * 5, name=f"{name}-{number}", changes=changes, **own)
    return [setting["name"] for setting in report_on(study)["settings"]]


@pytest.mark.parametrize("recorded", [True, False])
def test_settings_that_differ_in_several_keys_are_named_by_all_of_them(study: Path, recorded: bool) -> None:
    slow = {"optimizer.lr": 1e-4, "batch_size": 128}
    fast = {"optimizer.lr": 1e-3, "batch_size": 32}
    assert in_settings(study, slow, fast, recorded=recorded) == [
        "batch_size=32, optimizer.lr=0.001",
        "batch_size=128, optimizer.lr=0.0001",
    ]


@pytest.mark.parametrize("typed", [True, False])
def test_what_an_entry_brings_along_is_named_only_if_it_was_typed(study: Path, typed: bool) -> None:
    for number, (optimizer, rate) in enumerate((("adam", 1e-4), ("sgd", 1e-2))):
        for name in ("elu", "relu"):
            make_run(
                study,
                name,
                [1.0] * 5,
                name=f"{name}-{number}",
                choices={"optimizer": optimizer},
                changes={"optimizer.lr": rate},
                typed_too=[f"optimizer.lr={rate}"] if typed else [],
            )
    rates = [", optimizer.lr=0.0001", ", optimizer.lr=0.01"] if typed else ["", ""]
    named = [f"optimizer={name}{rate}" for name, rate in zip(("adam", "sgd"), rates, strict=True)]
    assert [setting["name"] for setting in report_on(study)["settings"]] == named


def by_rate(
    study: Path, rates: tuple[float, ...] = (2e-4, 8e-4, 5e-5), skip: tuple[str, float] | None = None
) -> None:
    """Write elu ahead of relu ahead of tanh at every learning rate, without ``skip``."""
    for column, rate in enumerate(rates):
        for row, (name, score) in enumerate((("elu", 60.0), ("relu", 100.0), ("tanh", 150.0))):
            if (name, rate) != skip:
                own = {"name": f"{name}-{rate}", "changes": {"optimizer.lr": rate}}
                make_run(study, name, draws(score, 3, 8, 10 * row + column), **own, **ANCHORS)


def test_who_is_best_everywhere_is_the_overall_winner(study: Path) -> None:
    by_rate(study)
    report = report_on(study)
    rates = ["optimizer.lr=5e-05", "optimizer.lr=0.0002", "optimizer.lr=0.0008"]
    assert [setting["name"] for setting in report["settings"]] == rates
    overall = report["overall"]
    assert [row["name"] for row in overall["rows"]] == ["elu", "relu", "tanh"]
    assert overall["winner"] == report["verdict"]["winner"] == "elu"
    assert overall["rows"][0]["seeds"] == [8, 8, 8]
    # 0 is an untrained generator, 1 real data: the mean over settings of (500 - IQM) / (500 - 19).
    iqms = [setting["rows"][0]["iqm"] for setting in report["settings"]]
    assert overall["rows"][0]["iqm"] == pytest.approx(np.mean([(500 - iqm) / (500 - 19) for iqm in iqms]))
    text = report["verdict"]["text"]
    assert "elu is the best at optimizer.lr=5e-05, 0.0002 and 0.0008 (p at most 0.001)." in text
    assert "At one common optimizer.lr, elu is the best of 3: " in text
    assert "no reversal was found" in text
    assert "no reversal." not in text
    assert "With each candidate at its own best optimizer.lr, elu is the best: fid " in text
    assert not any("same learning rate" in limitation for limitation in report["limitations"])
    # The order of the sentences: each setting's own, over all, tuned.
    kinds = [one["kind"] for one in report["verdict"]["sentences"]]
    assert kinds == ["learned", "settings", "overall", "tuned"]


def test_who_was_not_tried_somewhere_is_named_and_the_others_are_compared(study: Path) -> None:
    by_rate(study, skip=("tanh", 8e-4))
    report = report_on(study)
    assert report["verdict"]["text"].startswith("tanh was not tried at optimizer.lr=0.0008.")
    assert report["settings"][2]["untried"] == ["tanh"]
    assert report["overall"]["untried"] == ["tanh"]
    assert [row["name"] for row in report["overall"]["rows"]] == ["elu", "relu"]
    assert "elu is the best of the 2 tried in all" in report["verdict"]["text"]


def test_without_known_ends_of_the_scale_there_is_no_verdict_over_all(study: Path) -> None:
    for name, score in (("elu", 1.0), ("relu", 2.0)):
        for rate in (1e-4, 2e-4):
            own = {"name": f"{name}-{rate}", "changes": {"optimizer.lr": rate}}
            make_run(study, name, draws(score, 0.1, 6, round(score)), **own)
    report = report_on(study)
    assert report["overall"] is None
    assert (
        "No verdict at one common optimizer.lr: untrained generators or real data were not measured"
        in (report["verdict"]["text"])
    )


def test_a_squared_distance_is_compared_in_logarithms(study: Path) -> None:
    for name, score in (("elu", 50.0), ("relu", 100.0)):
        for rate in (1e-4, 2e-4):
            own = {"name": f"{name}-{rate}", "changes": {"optimizer.lr": rate}}
            make_run(study, name, [score] * 6, **own, **ANCHORS, spec={"squared": True})
    overall = report_on(study)["overall"]
    assert overall["log"]
    assert overall["rows"][0]["iqm"] == pytest.approx(np.log(500 / 50) / np.log(500 / 19))


def test_data_sets_are_a_problem_and_no_means(study: Path) -> None:
    for name, score in (("elu", 60.0), ("relu", 100.0)):
        for data in ("digits", "kmnist"):
            own = {"name": f"{name}-{data}", "changes": {"dataset.name": data}, "choices": {"dataset": data}}
            make_run(study, name, draws(score, 3, 8, round(score) + len(data)), **own, **ANCHORS)
    report = report_on(study)
    assert report["tuned"] == []
    assert "Over both settings, elu is the best of 2" in report["verdict"]["text"]
    (command,) = report["verdict"]["rerun"]["commands"]
    assert command == (
        "gan-lab train -m activation=elu dataset=digits,kmnist seed=8 seeds=8 study=study_fresh"
    )


def test_each_data_set_has_its_own_best_learning_rate(study: Path) -> None:
    for row, (name, scores) in enumerate({"elu": (60.0, 150.0), "relu": (100.0, 100.0)}.items()):
        for data in ("digits", "kmnist"):
            for rate, score in zip((1e-4, 2e-4), scores, strict=True):
                changes = {"optimizer.lr": rate, "dataset.name": data}
                own = {"name": f"{name}-{data}-{rate}", "changes": changes, "choices": {"dataset": data}}
                make_run(study, name, draws(score, 3, 8, row + round(1e5 * rate)), **own, **ANCHORS)
    report = report_on(study)
    assert [part["name"] for part in report["tuned"]] == ["dataset=digits", "dataset=kmnist"]
    assert [part["winner"] for part in report["tuned"]] == ["elu", "elu"]
    assert (
        "With each candidate at its own best optimizer.lr at dataset=kmnist, elu" in report["verdict"]["text"]
    )


def test_what_a_chosen_group_brings_along_is_not_told_again(study: Path) -> None:
    wide = {"model.latent_size": 8, "model.generator.latent_size": 8, "model._target_": "mlp"}
    for name in ("elu", "relu"):
        make_run(study, name, [1.0] * 5, name=f"{name}-dcgan")
        make_run(study, name, [1.0] * 5, name=f"{name}-mlp", choices={"model": "mlp"}, changes=wide)
    assert [setting["name"] for setting in report_on(study)["settings"]] == ["model=dcgan", "model=mlp"]


def test_what_is_watched_is_no_setting(study: Path) -> None:
    make_run(study, "elu", [1.0] * 5)
    make_run(study, "relu", [2.0] * 5, changes={"log": {"every": 10}, "device": "cuda", "execution": "eager"})
    assert [setting["name"] for setting in report_on(study)["settings"]] == [""]


def test_many_settings_are_summarized(study: Path) -> None:
    for k in range(14):
        for name, score in (("elu", 60.0), ("relu", 100.0)):
            own = {"name": f"{name}-{k}", "changes": {"optimizer.lr": 1e-4 * (k + 1)}}
            make_run(study, name, draws(score, 3, 5, k), **own, **ANCHORS)
    report = report_on(study)
    assert "elu is the best in 14 settings (p at most 0.008)." in report["verdict"]["text"]
    assert all(setting["secondary"] is None for setting in report["settings"])
    assert len(report["verdict"]["text"]) < 1000


def test_an_entry_that_is_empty_is_no_setting_of_its_own(study: Path) -> None:
    """schedule=none is what a run without a schedule has, and linear is a setting beside it."""
    linear = {"schedule.length": 100, "schedule.end_factor": 0.0}
    make_run(study, "relu", [1.0] * 5, changes={"schedule": {}}, choices={"schedule": "none"})
    make_run(study, "elu", [2.0] * 5)
    assert [setting["name"] for setting in report_on(study)["settings"]] == [""]
    for name in ("relu", "elu"):
        make_run(study, name, [1.0] * 5, name=f"{name}-1", changes=linear, choices={"schedule": "linear"})
    names = [setting["name"] for setting in report_on(study)["settings"]]
    assert names == ["schedule=linear", "schedule=none"]
