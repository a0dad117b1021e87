"""Commands into a pipe that is closed, as by ``| head -1``: they end quietly, and no run is lost."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gan_lab.runs.study import read_study
from tests.helpers.experiments import TINY_POINTS
from tests.helpers.synthetic import make_run

FEW = ("steps=4", "log.every=2", "samples.every=4")


def into_a_closed_pipe(*arguments: str, also_stderr: bool = False) -> tuple[int, str]:
    """Return the exit code of ``gan-lab``, and what it says on stderr, which may be closed, too."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "gan_lab", *arguments],
            stdout=writing,
            stderr=writing if also_stderr else subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            timeout=300,
        )
    finally:
        os.close(writing)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "arguments",
    [("ls", "study"), ("ls", "study", "--json"), ("report", "study"), ("activations", "--no-timing", "elu")],
)
def test_what_is_only_read_ends_as_other_tools_do(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, center in (("relu", 1.0), ("elu", 2.0)):
        make_run(tmp_path / "study", name, [center + 0.01 * seed for seed in range(3)])
    assert into_a_closed_pipe(*arguments) == (141, "")
    assert arguments[0] != "report" or Path("study/report/index.html").exists()


@pytest.mark.parametrize("also_stderr", [False, True])
@pytest.mark.parametrize("words", [("activation=elu",), ("-m", "activation=elu,relu")])
def test_training_goes_on(
    words: tuple[str, ...], also_stderr: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, stderr = into_a_closed_pipe("train", *words, *TINY_POINTS, *FEW, also_stderr=also_stderr)
    assert code == 0
    progress = "run 1 of 2\nrun 2 of 2, about N s left\n" if "-m" in words and not also_stderr else ""
    assert re.sub(r"about \d+ s", "about N s", stderr) == progress
    study = read_study(Path("outputs/ring"))
    assert [run.state for run in study.runs] == ["finished"] * (1 + ("-m" in words))
