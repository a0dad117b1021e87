"""Sweeps that can be repeated: skipped, resumed, tried again, and never stopped by one bad run."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from gan_lab.runs.status import Status
from tests.helpers.experiments import TINY_POINTS, UNMEASURED, train
from tests.helpers.sweeping import GATED, LATE, Gate, outcomes, started, until

Cli = Callable[..., tuple[int, str, str]]
FEW = ("steps=4", "log.every=2", "samples.every=0", "metrics.every=0", "diagnostics.every=0")
OWN = f"""{LATE}
class Greedy(nn.Module):
    calls = 0
    def forward(self, x):
        Greedy.calls += 1
        return x.new_empty(2**60) if Greedy.calls > 150 else x
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

    (Path("own_activations.py")).write_text(OWN.replace("> 150", "> 10**9"))
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


def test_a_member_that_is_refused_leaves_nothing_and_its_neighbors_run(run_cli: Cli) -> None:
    code, out, err = run_cli("train", "-m", *TINY_POINTS, *FEW, "model.generator.depth=2,0")
    assert code == 1
    assert "Traceback" not in out + err
    assert "model.generator: depth must be a whole number from 1 to 1000, got 0" in out
    assert "2 runs in outputs/ring: 1 finished, 1 failed" in out
    assert {path.name for path in Path("outputs/ring").iterdir() if path.is_dir()} == {
        next(Path("outputs/ring").glob("*/status.json")).parent.name,
        "tensorboard",
    }


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
        until(lambda: len(gate.signaled()) == 1)
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


def test_the_record_of_a_sweep_replaces_a_link(
    run_cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("private").write_text("mine")
    Path("outputs/ring").mkdir(parents=True)
    Path("outputs/ring/multirun.yaml").symlink_to(tmp_path / "private")
    code, _, err = run_cli("train", "-m", "activation=elu", *TINY_POINTS, "steps=1")
    assert code == 0, err
    assert Path("private").read_text() == "mine"
    assert "activation=elu" in Path("outputs/ring/multirun.yaml").read_text()
