"""Files that are written whole or not at all."""

from pathlib import Path

from gan_lab.utils.files import remove_temp_files


def test_only_a_writers_own_leftovers_are_removed(tmp_path: Path) -> None:
    ours = [tmp_path / ".status.json.4711.tmp", tmp_path / "seed_0" / ".results.json.12.tmp"]
    theirs = [tmp_path / ".notes.tmp", tmp_path / "photographs" / ".import.4711.tmp"]
    for path in (*ours, *theirs):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    remove_temp_files(tmp_path)
    assert not any(path.exists() for path in ours)
    assert all(path.exists() for path in theirs)
