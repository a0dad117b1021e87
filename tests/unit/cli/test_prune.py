"""`gan-lab prune`: shows first, asks, and does nothing without an answer."""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.runs.folder import lock_run
from tests.helpers.cli import Result, refused
from tests.helpers.synthetic import make_run

Cli = Callable[..., Result]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def checkpoint() -> Path:
    folder = make_run(Path("outputs/digits"), "relu", [1.0])
    (folder / "checkpoint").mkdir()
    path = folder / "checkpoint/step_00000004.pt"
    path.write_bytes(bytes(2_500_000))
    return path


@pytest.fixture
def lost_cache() -> Path:
    Path("pictures").mkdir()
    Image.new("RGB", (8, 8), (255, 0, 0)).save("pictures/1.png")
    load_image_folder("pictures", size=8)
    (path,) = Path("cache/images").rglob("images.npy")
    shutil.rmtree("pictures")
    return path


@pytest.mark.parametrize(("answer", "freed"), [("y\n", True), ("\n", False), ("n\n", False)])
def test_it_asks_and_takes_no_answer_for_a_no(
    answer: str,
    freed: bool,
    checkpoint: Path,
    lost_cache: Path,
    run_cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    code, out, err = run_cli("prune")
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].split() == ["what", "where", "size"]
    assert lines[1].split("  ")[0] == "1 checkpoint"
    assert lines[1].split()[2:] == ["outputs/digits/activation=relu", "2.5", "MB"]
    assert lines[2].startswith(f"cache of {Path('pictures').absolute()}")
    assert lines[3].split() == ["total", "2.5", "MB"]
    assert "cannot be continued with more steps" in lines[4]
    assert "Free 2.5 MB? [y/N]: " in out
    assert ("freed 2.5 MB" in out) == freed
    assert (checkpoint.exists(), lost_cache.exists()) == (not freed, not freed)


def test_ctrl_c_at_the_question_stops(
    checkpoint: Path, run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("click.termui.visible_prompt_func", interrupted)
    code, _, err = run_cli("prune")
    assert (code, err.strip()) == (130, "gan-lab: stopped")
    assert checkpoint.exists()


def test_without_a_terminal_it_only_shows(
    checkpoint: Path, run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, out, _ = run_cli("prune")
    assert code == 0
    assert out.endswith("nothing is removed: --yes removes it without asking\n")
    assert checkpoint.exists()
    code, out, _ = run_cli("prune", "--yes")
    assert out.endswith("freed 2.5 MB\n")
    assert not checkpoint.exists()
    assert run_cli("prune").out == "there is nothing to remove\n"


def test_what_is_in_use_is_a_line_and_costs_nothing_else(
    checkpoint: Path, lost_cache: Path, run_cli: Cli
) -> None:
    with lock_run(checkpoint.parents[1]):
        code, out, _ = run_cli("prune", "--yes")
    assert code == 0
    assert "\nleft alone: outputs/digits/activation=relu is being trained by process" in out
    assert out.endswith("freed 0.0 MB\n")
    assert (checkpoint.exists(), lost_cache.exists()) == (True, False)


def test_a_study_that_is_named_is_all_that_is_pruned(
    checkpoint: Path, lost_cache: Path, run_cli: Cli
) -> None:
    other = make_run(Path("outputs/ring"), "relu", [1.0]) / "checkpoint/step_00000004.pt"
    other.parent.mkdir()
    other.touch()
    assert run_cli("prune", "digits", "--yes").code == 0
    assert [path.exists() for path in (checkpoint, lost_cache, other)] == [False, True, True]
    code, _, err = run_cli("prune", "numbers", "--yes")
    assert (code, err) == (
        2,
        "gan-lab: there is no study 'numbers'; type gan-lab prune outputs/digits, or outputs/ring\n",
    )


def test_json_has_the_same_and_removes_only_with_yes(checkpoint: Path, run_cli: Cli) -> None:
    expected = {
        "kind": "checkpoints",
        "what": "1 checkpoint",
        "folder": "outputs/digits/activation=relu",
        "bytes": 2_500_000,
    }
    for words, removed in (((), False), (("--yes",), True)):
        content = json.loads(run_cli("prune", "--json", *words).out)
        assert content == {"items": [{**expected, "removed": removed}], "left_alone": []}
        assert checkpoint.exists() != removed


def test_nothing_is_made_where_there_is_nothing(run_cli: Cli) -> None:
    assert run_cli("prune").out == "there is nothing to remove\n"
    assert "there is no study 'digits'" in refused("prune", "digits")
    assert not list(Path().iterdir())
