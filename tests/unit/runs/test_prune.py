"""What `gan-lab prune` removes, what it leaves alone, and that it can be killed on its way."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gan_lab.runs.folder import lock_run
from gan_lab.runs.prune import find_prunable
from gan_lab.utils.errors import GanLabError, RunBusyError
from tests.helpers.synthetic import make_run

ARCHIVE = "activation=relu.before-2026-11-26T130507+0000"
Files = dict[str, bytes]


def run(name: str = "activation=relu", state: str = "finished", steps: tuple[int, ...] = (3, 4)) -> Path:
    folder = make_run(Path("outputs/digits"), "relu", [1.0], name=name, state=state)
    (folder / "checkpoint").mkdir()
    for step in steps:
        (folder / f"checkpoint/step_{step:08}.pt").write_bytes(b"x" * 1000)
        (folder / f"checkpoint/step_{step:08}.pt.sha256").write_bytes(b"sum")
    return folder


def checkpoints(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoint").iterdir())


def files(folder: Path) -> Files:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix}


def prune(keep: int = 0, folder: Path = Path("outputs")) -> list[str]:
    items, reasons = find_prunable([folder], keep)
    for item in items:
        item.remove()
    return reasons


@pytest.mark.parametrize("state", ["finished", "diverged", "running", "interrupted", "failed"])
def test_only_runs_that_have_ended_lose_checkpoints(state: str) -> None:
    folder = run(state=state)
    before = files(folder)
    assert prune() == []
    ended = state in ("finished", "diverged")
    assert files(folder) == {
        name: data for name, data in before.items() if not (ended and "/checkpoint/" in name)
    }
    assert len(checkpoints(folder)) == (0 if ended else 4)


def test_some_can_be_kept_and_sizes_are_those_of_the_files() -> None:
    folder = run(steps=(3, 4, 5))
    (item,), _ = find_prunable([Path("outputs")], keep=1)
    assert (item.kind, item.what, item.folder, item.size) == ("checkpoints", "2 checkpoints", folder, 2006)
    item.remove()
    assert checkpoints(folder) == ["step_00000005.pt", "step_00000005.pt.sha256"]
    assert find_prunable([Path("outputs")], keep=1) == ([], [])


@pytest.mark.parametrize("where", ["outputs", "outputs/digits", f"outputs/digits/{ARCHIVE}"])
def test_a_run_that_was_put_aside_goes_as_a_whole(where: str) -> None:
    kept = run(steps=())
    before = files(kept)
    size = sum(map(len, files(run(ARCHIVE)).values()))
    (Path("outputs/digits") / ARCHIVE / "seed_0/.results.json.123.tmp").touch()
    (item,), _ = find_prunable([Path(where)])
    assert (item.kind, item.folder.name, item.size) == ("archived", ARCHIVE, size)
    item.remove()
    assert [path.name for path in Path("outputs/digits").iterdir()] == [kept.name]
    assert files(kept) == before


@pytest.mark.parametrize("name", ["activation=relu", ARCHIVE])
def test_the_same_command_completes_what_was_killed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before each of its operations in turn, and then called again."""
    for number in range(100):
        folder = run(name)
        with monkeypatch.context() as patch:
            die_after(number, patch)
            try:
                prune()
                killed = False
            except KeyboardInterrupt:
                killed = True
        if killed and set(folder.rglob("*")) - {folder / ".lock"}:
            assert (folder / "status.json").exists()
        assert prune() == []
        assert folder.exists() == (name != ARCHIVE)
        assert name == ARCHIVE or checkpoints(folder) == []
        if not killed:
            break
        if folder.exists():
            shutil.rmtree(folder)
    assert 4 <= number < 50


def die_after(number: int, patch: pytest.MonkeyPatch) -> None:
    """Stop like a kill after so many files and folders are removed."""
    count = 0

    def dying(original: Callable[..., None]) -> Callable[..., None]:
        def operation(path: Path, *arguments: object, **named: object) -> None:
            nonlocal count
            if path.name == ".lock" and not path.exists():
                return
            # filelock 3.24 removes a lock as it releases it, and a kill releases it, too.
            if sys._getframe(1).f_globals["__name__"].startswith("filelock"):
                original(path, *arguments, **named)
                return
            count += 1
            if count > number:
                raise KeyboardInterrupt
            original(path, *arguments, **named)

        return operation

    for name in ("unlink", "rmdir"):
        patch.setattr(Path, name, dying(getattr(Path, name)))


def test_a_kill_leaves_the_checkpoints_that_stay_and_their_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(steps=(3, 4))
    with monkeypatch.context() as patch:
        die_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            prune()
    assert checkpoints(folder) == [
        "step_00000003.pt.sha256",
        "step_00000004.pt",
        "step_00000004.pt.sha256",
    ]
    prune(keep=1)
    assert checkpoints(folder) == ["step_00000004.pt", "step_00000004.pt.sha256"]


def test_a_busy_run_is_left_alone_and_so_is_what_it_has_put_aside() -> None:
    folder, archive = run(), run(ARCHIVE)
    before = files(folder), files(archive)
    items, _ = find_prunable([Path("outputs")])
    assert len(items) == 2
    with lock_run(folder):
        for item in items:
            with pytest.raises(RunBusyError, match=r"activation=relu is being trained by process"):
                item.remove()
    with lock_run(archive), pytest.raises(RunBusyError):
        items[1].remove()
    assert (files(folder), files(archive)) == before


def test_a_run_that_has_been_continued_since_is_left_alone() -> None:
    folder = run()
    (item,), _ = find_prunable([Path("outputs")])
    status = json.loads((folder / "status.json").read_text())
    (folder / "status.json").write_text(json.dumps(status | {"state": "interrupted"}))
    item.remove()
    assert len(checkpoints(folder)) == 4
    (folder / "status.json").write_text(json.dumps(status))
    (folder / "checkpoint/step_00000005.pt").touch()
    item.remove()  # what was not shown stays
    assert checkpoints(folder) == ["step_00000005.pt"]


def test_no_link_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    run("away").rename(elsewhere)
    Path("outputs/digits/activation=elu").symlink_to(elsewhere)
    Path("outputs/linked").symlink_to(elsewhere.parent)
    with_folder, with_file, with_lock, archive = run("folder"), run("file"), run("lock"), run(ARCHIVE)
    for name in ("step_00000003.pt", "step_00000004.pt"):
        (with_folder / "checkpoint" / name).unlink()
        (with_folder / "checkpoint" / f"{name}.sha256").unlink()
    (with_folder / "checkpoint").rmdir()
    (with_folder / "checkpoint").symlink_to(elsewhere / "checkpoint")
    (with_file / "checkpoint/step_00000004.pt").unlink()
    (with_file / "checkpoint/step_00000004.pt").symlink_to(elsewhere / "status.json")
    (with_lock / ".lock").symlink_to(elsewhere / "status.json")
    (archive / "seed_1").symlink_to(elsewhere / "seed_0")
    before = files(tmp_path)
    reasons = prune()
    assert files(tmp_path) == before
    assert [reason.split(" ")[0].removeprefix("outputs/digits/") for reason in reasons] == [
        f"{ARCHIVE}/seed_1",
        "file/checkpoint/step_00000004.pt",
        "folder/checkpoint",
        "lock/.lock",
    ]
    assert all("link" in reason or "no regular file" in reason for reason in reasons[1:])


@pytest.mark.parametrize("name", ["notes.txt", "seed_0/my.png", "checkpoint/mine.pt", "seed_0/empty/"])
def test_an_archive_with_files_of_somebody_else_is_left_alone(name: str) -> None:
    archive = run(ARCHIVE)
    if name.endswith("/"):
        (archive / name).mkdir()
    else:
        (archive / name).write_text("mine")
    before = files(archive)
    (reason,) = prune()
    assert reason == f"{archive / name} is not what gan-lab writes: {ARCHIVE} is left alone"
    assert files(archive) == before


def test_folders_that_only_look_like_it_are_left_alone() -> None:
    for name in ("thesis.before-2026-11-26", "thesis.before-2026-11-26T130507+0000"):
        Path("outputs/digits", name).mkdir(parents=True)
        Path("outputs/digits", name, "chapter.tex").write_text("mine")
    own = run("run.before-submission", state="interrupted")
    before = files(Path("outputs"))
    assert prune() == []
    assert files(Path("outputs")) == before
    assert len(checkpoints(own)) == 4


def test_checkpoints_of_somebody_else_beside_those_of_a_run_stay() -> None:
    folder = run()
    (folder / "checkpoint/best.pt").write_text("mine")
    assert prune() == []
    assert checkpoints(folder) == ["best.pt"]


def test_what_is_put_aside_in_part_is_left_to_the_run() -> None:
    folder, archive = run(), run(ARCHIVE)
    (folder / "status.json").unlink()
    (archive / "seed_0").rename(archive.parent / "seeds")
    before = files(Path("outputs"))
    (reason,) = prune()
    assert reason == f"{archive} is put aside in part: training {folder} again completes it"
    assert files(Path("outputs")) == before


def test_a_damaged_run_is_named_and_costs_no_other() -> None:
    damaged, sound = run("a"), run("b")
    (damaged / "status.json").write_text("[[[")
    (reason,) = prune()
    assert reason.startswith(f"{damaged / 'status.json'} is damaged")
    assert (len(checkpoints(damaged)), checkpoints(sound)) == (4, [])


def test_a_folder_that_is_named_may_be_a_link(tmp_path: Path) -> None:
    folder = run()
    (tmp_path / "here").symlink_to(Path("outputs/digits"))
    assert prune(folder=Path("here")) == []
    assert checkpoints(folder) == []


def test_a_run_that_has_gone_since_is_not_made_again() -> None:
    folder = run()
    (item,), _ = find_prunable([folder, folder.parent])
    folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(GanLabError, match="no folder"):
        item.remove()
    assert not folder.exists()
