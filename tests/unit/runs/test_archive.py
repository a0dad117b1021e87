"""What rerun=true puts aside, also if it is killed while it does so."""

from pathlib import Path

import pytest

from gan_lab.runs.folder import archive_run, finish_archiving

FILES = (
    "status.json",
    "config.yaml",
    "checkpoint/step_00000004.pt",
    "seed_0/stats.jsonl",
    "seed_1/stats.jsonl",
)


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "activation=[relu]-12345678"
    for name in (*FILES, ".lock", "train.log", ".hydra/overrides.yaml"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.mark.parametrize("moved", range(5))
def test_a_kill_on_the_way_leaves_no_finished_run_without_its_files(
    moved: int, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename, calls = Path.rename, 0

    def killed(self: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls > moved:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        archive_run(run)
    monkeypatch.undo()
    (archive,) = run.parent.glob("*.before-*")
    assert set(FILES) == (files(run) | files(archive)) & set(FILES)
    assert set(FILES) <= files(run) or "status.json" not in files(run)
    finish_archiving(run)
    kept = archive if moved else run  # nothing had moved: the run is still what it was
    assert files(kept) & set(FILES) == set(FILES)
    assert {".lock", "train.log", ".hydra/overrides.yaml"} <= files(run)


def test_a_run_that_is_just_beginning_is_not_put_aside(run: Path) -> None:
    archive = archive_run(run)
    assert files(archive) == set(FILES)
    for name in ("config.yaml", "seed_0/stats.jsonl"):  # the next run, before its first status
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("new")
    finish_archiving(run)
    assert (run / "config.yaml").read_text() == "new"
    assert (run / "seed_0/stats.jsonl").read_text() == "new"
    assert (archive / "config.yaml").read_text() == "config.yaml"
