"""A study in TensorBoard: one run per candidate, rebuilt from the runs' own files."""

import gc
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import metadata as hparams

from gan_lab.report import curves, tensorboard
from gan_lab.report.curves import ThinnedCurve
from gan_lab.report.tensorboard import refresh_overview, update_overview
from gan_lab.runs.run import Run
from gan_lab.runs.tags import tag_of
from tests.helpers.synthetic import STEPS, make_run, metric

SCORES = {"elu": [10.0, 14.0, 30.0], "relu": [7.0, 8.0, 9.0]}


def shown(study: Path, candidate: str) -> EventAccumulator:
    reader = EventAccumulator(str(study / "tensorboard" / candidate), size_guidance={"images": 0})
    reader.Reload()
    return reader


def points(study: Path, candidate: str, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in shown(study, candidate).Scalars(tag)]


def names(study: Path) -> list[str]:
    return sorted(path.name for path in (study / "tensorboard").glob("*/"))


def files(study: Path) -> dict[str, int]:
    return {str(path): path.stat().st_ino for path in (study / "tensorboard").glob("*/*")}


def row(study: Path, candidate: str) -> dict[str, Any]:
    plugin = shown(study, candidate).SummaryMetadata(hparams.SESSION_START_INFO_TAG).plugin_data
    start = hparams.parse_session_start_info_plugin_data(plugin.content)
    return {name: value.string_value or value.number_value for name, value in start.hparams.items()}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for activation, scores in SCORES.items():
        make_run(tmp_path / "mine", activation, scores, untrained=100.0)
    assert update_overview(tmp_path / "mine")
    return tmp_path / "mine"


def test_a_candidate_is_the_mean_over_its_seeds_in_a_band(study: Path) -> None:
    assert names(study) == ["elu", "relu"]
    for activation, scores in SCORES.items():
        mean = points(study, activation, "1_score/fid")
        assert [step for step, _ in mean] == [0, *STEPS]
        assert mean[0] == (0, 100.0)
        assert mean[-1] == (STEPS[-1], pytest.approx(sum(scores) / 3))
        assert points(study, activation, "band/score/fid/lowest")[-1][1] == min(scores)
        assert points(study, activation, "band/score/fid/highest")[-1][1] == max(scores)
        for number, score in enumerate(scores):
            assert points(study, activation, f"seeds/score/fid/seed_{number}")[-1] == (STEPS[-1], score)


def test_the_score_comes_first_and_no_layer_at_all(study: Path) -> None:
    tags = sorted(shown(study, "elu").Tags()["scalars"])
    assert tags[:2] == ["1_score/fid", "2_loss/generator"]
    assert not [tag for tag in tags if "hidden" in tag]
    assert "5_diagnostics/generator/dead" in tags


def test_the_layout_has_score_then_losses_and_every_chart_finds_its_curves(study: Path) -> None:
    reader = shown(study, "elu")
    (event,) = reader.Tensors("custom_scalars__config__")
    layout = Layout.FromString(event.tensor_proto.string_val[0])
    titles = [category.title for category in layout.category]
    assert titles[:4] == ["score", "score, every seed", "losses", "losses, every seed"]
    tags = set(reader.Tags()["scalars"])
    for category in layout.category:
        for chart in category.chart:
            for series in chart.margin.series:
                assert {series.value, series.lower, series.upper} <= tags
            for pattern in chart.multiline.tag:
                assert len([tag for tag in tags if tensorboard.re.match(pattern, tag)]) == 3


def test_hparams_has_all_final_scores_and_only_columns_that_vary(tmp_path: Path) -> None:
    study = tmp_path / "mine"
    for lr in (0.001, 0.0002):
        make_run(
            study,
            "elu",
            [lr * 1e4] * 2,
            name=f"lr={lr}",
            changes={"optimizer.lr": lr},
            metrics={"kid": metric(0.5)},
        )
    update_overview(study)
    assert names(study) == ["elu,lr=0.0002", "elu,lr=0.001"]
    assert row(study, "elu,lr=0.001") == {"activation": "elu", "lr": 0.001}
    plugin = shown(study, "elu,lr=0.001").SummaryMetadata(hparams.EXPERIMENT_TAG).plugin_data
    experiment = hparams.parse_experiment_plugin_data(plugin.content)
    assert [info.name for info in experiment.hparam_infos] == ["activation", "lr"]
    assert [info.name.tag for info in experiment.metric_infos] == ["1_score/fid"]
    assert points(study, "elu,lr=0.001", "1_score/fid")[-1][1] == 10.0


def test_networks_that_differ_and_parameters_make_short_names(tmp_path: Path) -> None:
    make_run(tmp_path / "mine", "elu", [1.0], discriminator="relu", own={"alpha": 0.5}, name="a")
    make_run(tmp_path / "mine", "elu", [1.0], discriminator="relu", own={"alpha": 1.0}, name="b")
    update_overview(tmp_path / "mine")
    assert names(tmp_path / "mine") == ["elu,alpha=0.5+relu", "elu,alpha=1+relu"]


def test_runs_of_other_seeds_join_their_candidate(study: Path) -> None:
    make_run(study, "elu", [2.0], first=3, name="more")
    update_overview(study)
    assert points(study, "elu", "1_score/fid")[-1][1] == pytest.approx((10 + 14 + 30 + 2) / 4)
    assert points(study, "elu", "seeds/averaged")[-1][1] == 4


def test_a_seed_that_diverged_has_no_further_points(tmp_path: Path) -> None:
    make_run(tmp_path / "mine", "elu", [4.0, None], diverged={1: 1200})
    update_overview(tmp_path / "mine")
    assert points(tmp_path / "mine", "elu", "seeds/averaged") == [(500, 2), (1000, 2), (1500, 1), (2000, 1)]
    assert points(tmp_path / "mine", "elu", "1_score/fid")[-1][1] == 4.0


def test_a_mean_does_not_jump_where_a_run_ended_early_or_began_late(tmp_path: Path) -> None:
    """Finished seeds score 4, those that are on their way 100: no step mixes both."""
    study = tmp_path / "mine"
    for first, state, step in ((4, "interrupted", 500), (6, "failed", 1000)):
        curve = {at: [100.0] * 2 for at in STEPS if at <= step}
        make_run(study, "elu", [100.0] * 2, first=first, name=state, state=state, step=step, curves=curve)
    update_overview(study)
    assert points(study, "elu", "1_score/fid") == [(500, 100.0)]
    make_run(study, "elu", [4.0, 4.0], name="whole", curves={step: [4.0] * 2 for step in STEPS})
    update_overview(study)
    assert points(study, "elu", "1_score/fid") == [(step, 4.0) for step in STEPS]
    assert points(study, "elu", "seeds/averaged") == [(step, 2.0) for step in STEPS]
    assert points(study, "elu", "seeds/score/fid/seed_4")[-1] == (500, 100.0)


def test_a_mean_has_no_point_where_a_seed_has_none_yet(tmp_path: Path) -> None:
    make_run(tmp_path / "mine", "elu", [1.0, 3.0])
    stats = tmp_path / "mine/activation=elu/seed_1/stats.jsonl"
    stats.write_text("".join(stats.read_text().splitlines(keepends=True)[:2]))
    update_overview(tmp_path / "mine")
    assert [step for step, _ in points(tmp_path / "mine", "elu", "1_score/fid")] == list(STEPS[:2])


def test_a_report_takes_runs_out_that_were_removed(study: Path) -> None:
    shutil.rmtree(study / "activation=relu")
    refresh_overview(study)
    assert names(study) == ["elu"]
    shutil.rmtree(study / "tensorboard")
    refresh_overview(study)
    assert not (study / "tensorboard").exists()


def test_only_what_has_changed_is_written_again_and_is_all_that_is_shown(study: Path) -> None:
    before = files(study)
    assert update_overview(study)
    assert files(study) == before
    stats = study / "activation=elu/seed_0/stats.jsonl"
    lines = [json.loads(line) for line in stats.read_text().splitlines()][:2]
    stats.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"step": 700, "metrics/fid": 1.0}]))
    update_overview(study)
    changed = {path for path in {**before, **files(study)} if before.get(path) != files(study).get(path)}
    assert len(changed) == 2  # the old file and the new one
    assert all("/elu/" in path for path in changed)
    assert points(study, "elu", "seeds/score/fid/seed_0")[-1] == (700, 1.0)


def test_nothing_is_kept_of_what_was_shown_before(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that trains for days has its overview written thousands of times."""
    monkeypatch.setattr(curves, "MOST_POINTS", 50)
    stats, status = study / "activation=elu/seed_0/stats.jsonl", study / "activation=elu/status.json"
    number_shown, number_kept = list[int](), list[int]()
    for look in range(1, 13):
        with stats.open("a") as file:
            for step in range(50 * look, 50 * look + 50):
                file.write(json.dumps({"step": STEPS[-1] + step, "loss/penalty": 0.5}) + "\n")
        status.write_text(status.read_text() + " ")  # as a checkpoint does
        assert update_overview(study)
        number_shown.append(len(points(study, "elu", tag_of("loss/penalty", "fid"))))
        gc.collect()
        number_kept.append(sum(type(one) in (Run, ThinnedCurve) for one in gc.get_objects()))
    assert max(number_shown) <= 51
    assert len(set(number_kept[1:])) == 1


def test_a_newer_file_sorts_after_those_of_a_clock_that_went_backwards(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = (study / "tensorboard/elu").iterdir()
    make_run(study, "elu", [2.0], first=3, name="more")
    monkeypatch.setattr(tensorboard.time, "time", lambda: 1000.0)
    update_overview(study)
    (after,) = (study / "tensorboard/elu").iterdir()
    assert after.name > before.name


@pytest.mark.parametrize("kept", [0, 1, 1000])
def test_what_a_killed_writer_has_left_is_replaced(study: Path, kept: int) -> None:
    """Killed before the rename: half a file, which TensorBoard does not read. Killed after it: two files."""
    folder = study / "tensorboard/elu"
    (whole,) = folder.iterdir()
    (folder / ".next.4711.tmp").write_bytes(whole.read_bytes()[:kept])
    (folder / "next").write_bytes(whole.read_bytes()[:kept])
    (folder / "events.out.tfevents.1000000000.0badf00d").write_bytes(whole.read_bytes())
    assert points(study, "elu", "1_score/fid")[-1][1] == 18.0
    make_run(study, "elu", [2.0], first=3, name="more")
    update_overview(study)
    assert points(study, "elu", "1_score/fid")[-1][1] == 14.0
    assert len(list(folder.glob("events*"))) == 1


def test_one_process_writes_at_a_time(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorboard, "_SECONDS_TO_WAIT", 0.1)
    before = files(study)
    make_run(study, "tanh", [2.0])
    with FileLock(study / "tensorboard/.lock"):
        assert not update_overview(study, wait=False)
        assert not update_overview(study)
    assert files(study) == before
    assert update_overview(study, wait=False)
    assert names(study) == ["elu", "relu", "tanh"]


def test_nothing_is_written_through_a_link_and_nothing_else_removed(study: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir()
    (study / "tensorboard/tanh").symlink_to(target)
    (study / "tensorboard/mine").mkdir()
    (study / "tensorboard/mine/notes.txt").write_text("mine")
    make_run(study, "tanh", [2.0])
    update_overview(study)
    assert not list(target.iterdir())
    assert (study / "tensorboard/mine/notes.txt").read_text() == "mine"
    (study / "tensorboard").rename(target / "moved")
    (study / "tensorboard").symlink_to(target / "moved")
    assert not update_overview(study)


def test_what_is_damaged_costs_its_own_curves_only(study: Path) -> None:
    make_run(study, "tanh", [2.0])
    (study / "activation=elu/status.json").write_text("{")
    for name in ("stats.jsonl", "results.json"):
        (study / f"activation=relu/seed_0/{name}").write_text("{\n{\n")
    update_overview(study)
    assert names(study) == ["relu", "tanh"]
    assert points(study, "relu", "1_score/fid")[-1][1] == 8.5


def test_sample_grids_are_those_of_the_first_seed(study: Path) -> None:
    (image,) = shown(study, "elu").Images("samples")
    picture = study / "activation=elu/seed_0/samples" / f"step_{STEPS[-1]:06d}.png"
    assert image.encoded_image_string == picture.read_bytes()
