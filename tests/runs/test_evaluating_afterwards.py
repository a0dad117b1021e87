"""Scores of a run that is there: measured again, measured otherwise, and `gan-lab evaluate`."""

import json
import re
from collections.abc import Callable

import pytest
import torch
from omegaconf import open_dict

from gan_lab.evaluation.evaluate import EvalOverrides, evaluate_study
from gan_lab.evaluation.evaluator import evaluation_digest
from gan_lab.runs.folder import seed_folder
from gan_lab.runs.stats import read_stats
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, composed, train

Cli = Callable[..., tuple[int, str, str]]
CPU = torch.device("cpu")
MEASURED = ("steps=4", "log.every=2", "samples.every=0", "metrics.every=2", "metrics.samples=40")


def test_evaluating_afterwards_gives_the_same_numbers_and_skips_what_is_done() -> None:
    run = train([*TINY_POINTS, *MEASURED, "seeds=2", "ema=0.9"])
    files = [seed_folder(run.folder, seed) / "results.json" for seed in run.seeds]
    before = [json.loads(file.read_text()) for file in files]
    done, failed = evaluate_study(run.folder.parent, EvalOverrides(), CPU)
    assert [one.skipped for one in done] == [True, True]
    files[0].unlink()
    done, failed = evaluate_study(run.folder, EvalOverrides(), CPU)
    assert [one.skipped for one in done] == [False, True]
    assert not failed
    again = json.loads(files[0].read_text())
    for name, score in before[0]["metrics"].items():
        for key in ("last", "best", "mean", "real_data"):
            expected = score[key] if score[key] is None else pytest.approx(score[key], rel=1e-4)
            assert again["metrics"][name][key] == expected, (name, key)
    again["metrics"] = before[0]["metrics"]
    assert again == before[0]


def test_runs_that_rerun_has_archived_are_left_alone() -> None:
    words = [*TINY_POINTS, *MEASURED]
    first = train(words)
    train([*words, "rerun=true"])
    (archive,) = first.folder.parent.glob("*.before-*")
    (archive / "seed_0" / "results.json").unlink()
    done, failed = evaluate_study(first.folder.parent, EvalOverrides(), CPU)
    assert [(one.folder, one.skipped) for one in done] == [(first.folder / "seed_0", True)]
    assert not failed
    assert not (archive / "seed_0" / "results.json").exists()
    done, _ = evaluate_study(archive, EvalOverrides(), CPU)  # unless it is asked for by name
    assert [(one.folder, one.skipped) for one in done] == [(archive / "seed_0", False)]


def test_a_run_resumed_with_other_metrics_counts_only_scores_made_in_one_way() -> None:
    words = [*TINY_POINTS, "metrics.every=2", "samples.every=0", "diagnostics.every=0", "steps=4"]
    train([*words, "metrics.samples=40"])
    run = train([*words[:-1], "steps=8", "metrics.samples=60"])
    assert run.status.measured_from == 5
    seed = run.run.seeds[0]
    tag = "metrics/mode_js"
    assert [line["step"] for line in read_stats(seed.folder) if tag in line] == [0, 2, 4, 6, 8]
    scores = {line["step"]: line[tag] for line in seed.stats() if tag in line}
    assert list(scores) == [6, 8]
    assert seed.results is not None
    assert seed.results["samples"]["fake"] == 60
    assert seed.results["metrics"]["mode_js"]["mean"] == pytest.approx(sum(scores.values()) / 2)
    again = train([*words[:-1], "steps=10", "metrics.samples=60"])
    assert again.status.measured_from == 5


def test_other_features_do_not_borrow_numbers_from_the_way() -> None:
    run = train([*TINY_IMAGES, *MEASURED])
    (one,), _ = evaluate_study(
        run.folder, EvalOverrides(features="raw", metrics=["prdc", "kid"], samples=30), CPU
    )
    assert one.results["features"]["name"] == "raw"
    assert one.results["primary"] == "coverage"
    assert one.results["samples"]["fake"] == 30
    assert one.results["metrics"]["kid"]["best"] is None
    assert not evaluate_study(run.folder, EvalOverrides(), CPU)[0][0].skipped
    assert evaluation_digest(run.cfg) == evaluation_digest(EvalOverrides().apply(run.cfg))


def test_a_key_that_is_null_makes_no_other_evaluation() -> None:
    cfg = composed("dataset=digits")
    with open_dict(cfg):
        cfg.dataset.new_key = None
    assert evaluation_digest(cfg) == evaluation_digest(composed("dataset=digits"))
    others = ("dataset.size=8", "features=raw", "metric=[fid]", "metrics.samples=9")
    digests = {evaluation_digest(composed("dataset=digits", other)) for other in others}
    assert len(digests | {evaluation_digest(cfg)}) == 5


def test_the_command(run_cli: Cli) -> None:
    run = train([*TINY_POINTS, *MEASURED, "metrics.every=0"])
    folder = str(run.folder.parent)
    assert not (seed_folder(run.folder, 0) / "results.json").exists()
    code, out, err = run_cli("evaluate", folder)
    assert code == 0, err
    assert "mode_js" in out
    assert "real data" in out
    code, out, err = run_cli("evaluate", folder, "--json")
    (results,) = json.loads(out).values()
    assert results["primary"] == "mode_js"
    for arguments, sentence in (
        (("nowhere",), "nowhere is neither a run nor a study"),
        (
            (folder, "--features", "eyes"),
            "features must be one of auto, classifier, inception, raw, got 'eyes'",
        ),
        ((folder, "--metric", "luck"), "metric must be one of classes, .*, got 'luck'"),
        ((folder, "--features", "classifier"), "needs labeled images"),
    ):
        code, out, err = run_cli("evaluate", *arguments)
        assert code == 2
        assert re.search(sentence, err), err
        assert "Traceback" not in err
