"""A finished run without checkpoints: what it still does, and what it says that it cannot."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_lab.runs.load import TrainedRun
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.cli import Result
from tests.helpers.experiments import TINY_POINTS, train
from tests.runs.test_changed_data import SMALL, pictures

MEASURED = ("metrics.every=2", "metrics.samples=64", "samples.every=2", "steps=2")
RUN = (*TINY_POINTS, *MEASURED)


def everything(folder: Path) -> dict[str, bytes]:
    """All of a run but what was last typed."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    typed = ("train.log", ".hydra/")
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(typed)}


def test_a_pruned_run_samples_evaluates_and_reports_and_refuses_more_steps(
    trained: Callable[..., TrainedRun], run_cli: Callable[..., Result]
) -> None:
    folder = trained(*RUN).folder
    code, out, _ = run_cli("prune", "--yes", "ring")
    assert code == 0
    assert "1 checkpoint " in out
    assert not list((folder / "checkpoint").iterdir())
    for words in (
        ("train", *RUN),
        ("sample", str(folder)),
        ("evaluate", str(folder)),
        ("evaluate", str(folder), "--force"),
        ("report", "ring"),
        ("ls",),
    ):
        code, out, err = run_cli(*words)
        assert code == 0, err
        assert "mode_js" in out or words[0] == "sample"
    before = everything(folder)
    code, out, err = run_cli("train", *RUN, "steps=4")
    assert code == 2
    assert err == (
        f"gan-lab: steps=4: {folder} has finished 2 steps and cannot be continued, "
        "because its checkpoints were pruned: rerun=true starts over\n"
    )
    assert everything(folder) == before
    assert run_cli("train", *RUN).code == 0
    assert train([*RUN, "steps=4", "rerun=true"]).status.step == 4


def test_one_that_keeps_a_checkpoint_continues(
    trained: Callable[..., TrainedRun], run_cli: Callable[..., Result]
) -> None:
    straight = train([*RUN, "steps=4", "study=straight"])
    folder = trained(*RUN).folder
    assert run_cli("prune", "--yes", "--keep", "1", "ring").code == 0
    assert train([*RUN, "steps=4"]).status.step == 4
    weights = "seed_0/generator.safetensors"
    assert (folder / weights).read_bytes() == (straight.folder / weights).read_bytes()


def test_a_pruned_run_is_not_trained_again_because_its_files_have_other_times(
    run_cli: Callable[..., Result],
) -> None:
    pictures((220, 40, 40))
    run = train(SMALL)
    assert run_cli("prune", "--yes").code == 0
    before = everything(run.folder)
    for path in Path("pictures").iterdir():
        os.utime(path, (1_000_000_000, 1_000_000_000))
    again = train(SMALL)
    after = everything(run.folder)
    assert {**after, "status.json": before["status.json"]} == before
    assert again.status.data_stamp != run.status.data_stamp
    assert (again.status.state, again.status.sittings) == ("finished", run.status.sittings)
    assert train(SMALL).status == again.status
    pictures((40, 40, 220))
    with pytest.raises(ConfigurationError, match="as many samples with other content"):
        train(SMALL)
    assert everything(run.folder) == after


def test_a_run_keeps_as_many_checkpoints_as_asked_for() -> None:
    words = [*TINY_POINTS, "samples.every=0", "steps=6", "checkpoint.every=1"]
    run = train([*words, "checkpoint.keep=4"])
    steps = [path.stem[-1] for path in sorted((run.folder / "checkpoint").glob("*.pt"))]
    assert steps == ["3", "4", "5", "6"]
    assert train([*words, "steps=7", "checkpoint.keep=1"]).folder == run.folder
    assert [path.name for path in (run.folder / "checkpoint").glob("*.pt")] == ["step_00000007.pt"]
