"""A finished run that is asked for with other watched keys says so, and what to do."""

from pathlib import Path

import pytest

from gan_lab.runs.config_file import write_config
from gan_lab.runs.existing import existing_status, readable_status, watched_differences, watched_note
from gan_lab.runs.folder import archive_run
from gan_lab.runs.naming import identity, to_plain
from gan_lab.runs.run import Run
from gan_lab.runs.status import STATUS_FORMAT, Status
from gan_lab.utils.errors import ConfigurationError, GanLabError
from tests.helpers.experiments import composed


def finished(folder: Path, *overrides: str) -> Path:
    cfg = composed(*overrides)
    folder.mkdir(parents=True)
    Status(
        identity=identity(cfg),
        state="finished",
        step=10,
        steps=10,
        seeds=[0],
        shape=[1, 16, 16],
        choices={},
        device="cpu",
        engine="sequential",
        execution="eager",
    ).save(folder)
    write_config(folder, cfg)
    return folder


DEFAULT = "fid,modes,stacked_modes,kid,classes,prdc,sliced_wasserstein"


@pytest.mark.parametrize(
    ("override", "text"),
    [
        ("metrics.every=100", "metrics.every=500 (asked for: 100)"),
        ("log.histograms=true", "log.histograms=false (asked for: true)"),
        ("metric.kid.subsets=3", "metric.kid.subsets=20 (asked for: 3)"),
        ("metric=[fid,kid]", f"metric={DEFAULT} (asked for: fid,kid)"),
        ("features=raw", "features=auto_features (asked for: raw_features)"),
        ("diagnostic=[]", "diagnostic=units,gradients,rank,data_gradient (asked for: null)"),
        ("report.primary=kid", "report.primary=null (asked for: kid)"),
    ],
)
def test_each_watched_key_that_differs_is_named(override: str, text: str) -> None:
    assert list(watched_differences(composed(override), to_plain(composed())).values()) == [text]


@pytest.mark.parametrize("override", ["steps=5", "device=cpu", "engine=vmap", "study=x", "metrics.workers=2"])
def test_other_keys_are_not_named(override: str) -> None:
    assert watched_differences(composed(override), to_plain(composed())) == {}


def test_the_sentence_says_what_to_type(tmp_path: Path) -> None:
    run = Run.load(finished(tmp_path / "a run"))
    assert watched_note(composed("activation=leaky_relu"), run) == ""
    assert watched_note(composed("samples.every=3"), run) == (
        "this run was trained with samples.every=500 (asked for: 3): rerun=true trains again"
    )
    assert watched_note(composed("metrics.samples=9", "features=raw", "report.reference=elu"), run) == (
        "this run was trained with features=auto_features (asked for: raw_features), "
        "metrics.samples=2500 (asked for: 9) and report.reference=relu (asked for: elu): "
        "gan-lab evaluate 'a run' measures again (--features, --samples), gan-lab report takes --reference, "
        "rerun=true trains again"
    )


def test_many_differences_are_counted(tmp_path: Path) -> None:
    words = ("log.every=1", "samples.every=1", "metrics.every=1", "diagnostics.every=1", "samples.number=1")
    assert "(asked for: 1) and 1 more: rerun" in watched_note(
        composed(*words), Run.load(finished(tmp_path / "run"))
    )


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    folder = finished(tmp_path / "run", "activation=elu")
    assert existing_status(composed("activation=elu", "metrics.every=1"), folder) is not None
    assert existing_status(composed("activation=elu"), tmp_path / "empty") is None
    with pytest.raises(ConfigurationError, match="holds a run of another configuration"):
        existing_status(composed("activation=tanh"), folder)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("", r"an older version of gan-lab \(no format number; this one reads format 2\)"),
        ('"format": 1,', r"an older version of gan-lab \(format 1; this one reads format 2\)"),
        ('"format": 3,', r"a newer version of gan-lab \(format 3; this one reads format 2\)"),
        ('"format": true,', r"an older version of gan-lab \(no format number; "),
    ],
)
def test_a_status_of_another_format_is_refused(number: str, words: str, tmp_path: Path) -> None:
    folder = finished(tmp_path / "run")
    text = (folder / "status.json").read_text()
    assert f'"format": {STATUS_FORMAT},' in text
    (folder / "status.json").write_text(text.replace(f'"format": {STATUS_FORMAT},', number))
    sentence = f"status.json was written by {words}.*train it again with rerun=true, which archives it, or"
    for read in (Run.load, lambda path: existing_status(composed(), path)):
        with pytest.raises(GanLabError, match=sentence) as caught:
            read(folder)
        assert "\n" not in str(caught.value)
    assert readable_status(folder) is None
    archive = archive_run(folder)  # which needs no status that can be read
    assert (archive / "status.json").exists()
    assert not (folder / "status.json").exists()
