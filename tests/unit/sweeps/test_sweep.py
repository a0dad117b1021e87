"""What a sweep launches, in which order, and what it says at the end, under launchers that train nothing."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from gan_lab.runs.status import Status
from gan_lab.sweeps.sweep import sweep
from gan_lab.utils.errors import ConfigurationError, RunFailedError
from tests.helpers.experiments import TINY_POINTS

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=4", "log.every=2", "samples.every=0", "metrics.every=0", "diagnostics.every=0")


class Launcher:
    """Trains in this process, and dies like a pool of workers when it comes to what kills it."""

    def __init__(self, deadly: str, together: int = 2) -> None:
        self.deadly, self.together, self.launched = deadly, together, list[list[str]]()

    def __call__(self, overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        self.launched.append([words[0] for words in overrides])
        done = []
        for place in range(0, len(overrides), self.together):
            max_concurrent_seeds = overrides[place : place + self.together]
            if any(self.deadly in words for words in max_concurrent_seeds):
                for words in max_concurrent_seeds:
                    folder = folder_of(words)
                    folder.mkdir(parents=True, exist_ok=True)
                    state(folder, "running")
                raise OSError("a worker was killed")
            for words in max_concurrent_seeds:
                state(folder_of(words), "finished")
                done.append(JobReturn(status=JobStatus.COMPLETED))
        return done


def folder_of(words: Sequence[str]) -> Path:
    return Path("outputs/study") / words[0]


def state(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Status(
        identity=folder.name,
        state=name,
        step=4 if name == "finished" else 0,
        steps=4,
        seeds=[0],
        shape=[2],
        choices={},
        device="cpu",
        engine="sequential",
        execution="eager",
        started=str(time.monotonic()),
    ).save(folder)


@pytest.fixture
def _any_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("check", "check_choices"):
        monkeypatch.setattr(f"gan_lab.sweeps.sweep.{name}", lambda cfg: None)
    monkeypatch.setattr("gan_lab.sweeps.sweep.existing_status", lambda cfg, folder: Status.load(folder))


def composed_of(words: list[str]) -> DictConfig:
    sweep_folder = {"dir": "outputs/study", "subdir": words[0]}
    return DictConfig({"rerun": False, "steps": 4, "hydra": {"sweep": sweep_folder}})


@pytest.mark.usefixtures("_any_configuration")
def test_whoever_was_beside_a_run_that_killed_the_workers_still_finishes(capsys: Any) -> None:
    launcher = Launcher(deadly="c")
    failed = sweep([[name] for name in "abcdef"], composed_of, lambda path: None, launcher)
    assert failed == 1
    out = capsys.readouterr().out
    assert "c    failed" in out
    assert "the process that trained it died (OSError: a worker was killed)" in out
    for name in "abdef":
        assert f"{name}    finished" in out
    # a and b were done; c and d were at it twice, then each alone.
    assert launcher.launched == [list("abcdef"), ["e", "f", "c", "d"], ["c"], ["d"]]
    shutil.rmtree("outputs")


@pytest.mark.usefixtures("_any_configuration")
def test_a_launcher_that_cannot_begin_is_said() -> None:
    def broken(overrides: Sequence[Sequence[str]], first: int) -> list[JobReturn]:
        raise RuntimeError("no such cluster")

    with pytest.raises(ConfigurationError, match=r"hydra/launcher cannot launch the runs: .*no such cluster"):
        sweep([["a"]], composed_of, lambda path: None, broken)


@pytest.mark.usefixtures("_any_configuration")
def test_batches_are_as_long_as_they_may_be(capsys: Any) -> None:
    launcher = Launcher(deadly="nobody")
    assert sweep([[n] for n in "abcde"], composed_of, lambda path: None, launcher, batch_size=2) == 0
    assert launcher.launched == [["a", "b"], ["c", "d"], ["e"]]
    assert "5 runs in outputs/study: 5 finished" in capsys.readouterr().out


@pytest.mark.usefixtures("_any_configuration")
def test_runs_whose_process_died_last_time_go_last(capsys: Any) -> None:
    for name, before in (("a", "running"), ("b", "interrupted"), ("c", "finished"), ("d", "failed")):
        state(folder_of([name]), before)
    launcher = Launcher(deadly="nobody")
    assert sweep([[n] for n in "abcde"], composed_of, lambda path: None, launcher) == 0
    assert launcher.launched == [list("bdea")]
    rows = capsys.readouterr().out.splitlines()[2:7]
    assert [row[0] for row in rows] == list("abcde")


def test_failed_is_an_error_of_its_own() -> None:
    assert (RunFailedError("x").exit_code, ConfigurationError("x").exit_code) == (1, 2)


def test_nothing_starts_when_a_member_cannot_be(run_cli: Cli) -> None:
    points = [word for word in TINY_POINTS if "batch" not in word]
    for choice, sentence in (
        ("batch_size=8,0", "batch_size must be a whole number of at least 1, got 0"),
        ("activation=relu,nothing", "no activation named 'nothing'"),
    ):
        code, out, err = run_cli("train", "-m", *points, *FEW, choice)
        assert (code, out) == (2, "")
        assert sentence in err
        assert err.count("\n") == 1
        assert not Path("outputs").exists()
