"""Sweeps that can be repeated: skipped, resumed, tried again, and never stopped by one bad run."""

import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from gan_lab.runs.status import Status
from gan_lab.sweeps.sweep import sweep
from gan_lab.utils.errors import ConfigurationError, RunFailedError
from tests.helpers.experiments import TINY_POINTS, UNMEASURED, train
from tests.helpers.sweeping import GATED, LATE, Gate, outcomes, started, until

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=4", "log.every=2", "samples.every=0", "metrics.every=0", "diagnostics.every=0")
OWN = f"""{LATE}
class Greedy(nn.Module):
    calls = 0
    def forward(self, x):
        Greedy.calls += 1
        return x.new_empty(2**60) if Greedy.calls > 40 else x
"""


@pytest.fixture
def own_activations(tmp_path: Path) -> tuple[str, ...]:
    """Flags with which `activation=late` fails on its way, and `activation=greedy` runs out of memory."""
    (tmp_path / "own_activations.py").write_text(OWN)
    folder = tmp_path / "mine" / "activation"
    folder.mkdir(parents=True)
    for name in ("Late", "Greedy"):
        (folder / f"{name.lower()}.yaml").write_text(f"_target_: own_activations.{name}\n")
    return ("--config-dir", "mine")


def test_a_study_is_one_file_and_sweeps(run_cli: Cli) -> None:
    small = ("activation=relu,identity", "seeds=2", "steps=3", "dataset.size=500", "samples.every=0")
    code, out, err = run_cli("train", "experiment=activations_on_ring", *small, *UNMEASURED)
    assert code == 0, err
    assert out.count("finished: 3 steps, 2 seeds") == 2
    assert len(list(Path("outputs/activations_on_ring").glob("*/status.json"))) == 2


def test_a_sweep_goes_on_past_what_fails_and_says_at_the_end_what_became_of_all(
    run_cli: Cli, own_activations: tuple[str, ...]
) -> None:
    words = ("train", "-m", *own_activations, *TINY_POINTS, *FEW, "steps=20")
    choice = "activation=late,relu,greedy,elu"
    code, out, err = run_cli(*words, choice, PYTHONPATH=".")
    assert code == 1
    assert "Traceback" not in out + err
    assert outcomes(out) == {"late": "failed", "relu": "finished", "greedy": "failed", "elu": "finished"}
    assert "ValueError: too late (full log: outputs/ring/activation=late" in out
    assert "out of memory with seeds=1 and batch_size=8: lower one of them, or the width" in out
    assert "4 runs in outputs/ring: 2 failed, 2 finished" in out
    (log,) = Path("outputs/ring").glob("activation=late*/train.log")
    assert "ValueError: too late" in log.read_text()
    assert "Traceback" in log.read_text()
    (folder,) = Path("outputs/ring").glob("activation=late*")
    status = Status.load(folder)
    assert status is not None
    assert (status.state, status.reason) == ("failed", "ValueError: too late")

    code, out, err = run_cli(*words, choice, PYTHONPATH=".")
    assert code == 1
    assert outcomes(out) == {"late": "failed", "relu": "skipped", "greedy": "failed", "elu": "skipped"}

    (Path("own_activations.py")).write_text(OWN.replace("> 40", "> 10**9"))
    code, out, err = run_cli(*words, choice, PYTHONPATH=".")
    assert (code, outcomes(out)["late"], outcomes(out)["greedy"]) == (0, "finished", "finished"), err


def test_a_single_run_that_fails_says_where_its_log_is(
    run_cli: Cli, own_activations: tuple[str, ...]
) -> None:
    words = (*own_activations, *TINY_POINTS, *FEW, "steps=20", "activation=late")
    code, _, err = run_cli("train", *words, PYTHONPATH=".")
    assert code == 1
    assert err.startswith("gan-lab: ValueError: too late (full log: outputs/ring/")
    assert err.count("\n") == 1
    for debug in ({"HYDRA_FULL_ERROR": "1"}, {}):
        flags = () if debug else ("--debug",)
        code, _, err = run_cli("train", *flags, *words, PYTHONPATH=".", **debug)
        assert code == 1
        assert "Traceback" in err
        assert 'raise ValueError("too late")' in err


def test_finished_runs_are_skipped_without_torch(run_cli: Cli) -> None:
    words = ("train", "-m", *TINY_POINTS, *FEW, "activation=relu,elu", "seed=0,5")
    code, out, _ = run_cli(*words)
    assert code == 0
    (Path("torch")).mkdir()
    Path("torch/__init__.py").write_text("raise RuntimeError('torch was imported')")
    begun = time.monotonic()
    code, out, err = run_cli(*words, PYTHONPATH=".")
    assert code == 0, err
    assert "4 runs in outputs/ring: 4 skipped" in out
    assert "Launching" not in out
    assert time.monotonic() - begun < 10
    one = [word.replace(",elu", "").replace(",5", "") for word in words if word != "-m"]
    code, out, err = run_cli(*one, PYTHONPATH=".")
    assert code == 0, err
    assert "finished: 4 steps" in out


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


def test_a_member_that_is_refused_leaves_nothing_and_its_neighbors_run(run_cli: Cli) -> None:
    code, out, err = run_cli("train", "-m", *TINY_POINTS, *FEW, "model.generator.depth=2,0")
    assert code == 1
    assert "Traceback" not in out + err
    assert "model.generator: depth must be a whole number of at least 1" in out
    assert "2 runs in outputs/ring: 1 finished, 1 failed" in out
    assert len([path for path in Path("outputs/ring").iterdir() if path.is_dir()]) == 1


def test_a_diverged_run_stays_as_it_is(run_cli: Cli) -> None:
    words = ("train", "-m", *TINY_POINTS, *FEW, "activation=relu", "optimizer=sgd", "optimizer.lr=1e30,0.1")
    code, out, _ = run_cli(*words)
    assert code == 0
    assert "2 runs in outputs/ring: 1 diverged, 1 finished" in out
    code, out, _ = run_cli(*words)
    assert code == 0
    assert "2 runs in outputs/ring: 2 skipped" in out


def test_rerun_starts_over_and_keeps_what_was_there(run_cli: Cli) -> None:
    words = ("train", "-m", *TINY_POINTS, *FEW, "activation=relu")
    run_cli(*words)
    (folder,) = Path("outputs/ring").glob("activation=relu*")
    before = (folder / "seed_0" / "generator.safetensors").read_bytes()
    code, out, _ = run_cli(*words, "rerun=true")
    assert code == 0
    assert "1 run in outputs/ring: 1 finished" in out
    (aside,) = Path("outputs/ring").glob("*.before-*")
    for place in (folder, aside):
        assert (place / "seed_0" / "generator.safetensors").read_bytes() == before


def test_a_stopped_sweep_says_how_far_it_is_and_goes_on(
    tmp_path: Path, run_cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, words = Gate(tmp_path), [*GATED, "activation=relu,gated_elu"]
    monkeypatch.setenv("PYTHONPATH", gate.environment["PYTHONPATH"])
    with started(*words) as process:
        until(lambda: len(gate.waiting()) == 1)
        process.send_signal(signal.SIGTERM)
        until(lambda: len(gate.signalled()) == 1)
        gate.open()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert outcomes(out) == {"relu": "finished", "gated_elu": "interrupted"}
    code, out, _ = run_cli(*words)
    assert code == 0
    assert outcomes(out) == {"relu": "skipped", "gated_elu": "resumed"}


def test_a_run_that_somebody_else_trains_is_left_to_them(run_cli: Cli) -> None:
    run = train([*TINY_POINTS, *FEW, "activation=relu"])
    (run.folder / "status.json").write_text(
        (run.folder / "status.json").read_text().replace('"finished"', '"running"')
    )
    with FileLock(run.folder / ".lock"):
        code, _, err = run_cli("train", *TINY_POINTS, *FEW, "activation=relu")
        assert code == 2
        assert f"is being trained by process {run.status.process} on {run.status.host}, since" in err
        code, out, _ = run_cli("train", "-m", *TINY_POINTS, *FEW, "activation=relu,elu")
        assert code == 0
        assert outcomes(out) == {"relu": "trained elsewhere", "elu": "finished"}
    assert run_cli("train", *TINY_POINTS, *FEW, "activation=relu")[0] == 0


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
    monkeypatch.setattr("gan_lab.sweeps.sweep.check", lambda cfg: None)
    monkeypatch.setattr("gan_lab.sweeps.sweep.standing", lambda cfg, folder: Status.load(folder))


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


def test_failed_is_an_error_of_its_own() -> None:
    assert (RunFailedError("x").exit_code, ConfigurationError("x").exit_code) == (1, 2)
