"""The same sweep under every launcher: same folders, same bits, skipped, resumed, and failures named."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.helpers import slurm
from tests.helpers.experiments import TINY_POINTS
from tests.helpers.sweeping import FEW, GATED, LATE, Gate, outcomes, started, statuses, until, weights

# One Slurm and one Ray at a time: the workers of pytest-xdist share a machine.
pytestmark = pytest.mark.xdist_group("launchers")

Cli = Callable[..., tuple[int, str, str]]
BOTH = "activation=gated_relu,gated_elu"
PRESETS = {
    "cores": ("hydra/launcher=cores", "hydra.launcher.n_jobs=2"),
    "ray": ("hydra/launcher=ray_cluster", "hydra.launcher.ray.init.num_cpus=2"),
    "slurm": ("hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.mem_gb=1"),
}


@pytest.fixture
def _late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`activation=late` fails on its way."""
    Path("late.py").write_text(LATE)
    (tmp_path / "mine/activation").mkdir(parents=True)
    Path("mine/activation/late.yaml").write_text("_target_: late.Late\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gate:
    gate = Gate(tmp_path)
    for name, value in gate.environment.items():
        monkeypatch.setenv(name, value)
    return gate


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    absent = slurm.missing()
    if absent and not os.environ.get("CI"):  # CI must not pass by not running
        pytest.skip(absent)
    with slurm.cluster() as environment:
        yield environment


@pytest.fixture(autouse=True)
def _environment(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests that are marked for Slurm or Ray need to find it."""
    if request.node.get_closest_marker("slurm"):
        for name, value in request.getfixturevalue("cluster").items():
            monkeypatch.setenv(name, value)
    if request.node.get_closest_marker("ray"):
        monkeypatch.setenv("HOME", str(tmp_path))  # where Ray keeps its token
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
        monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Weights by folder of the long runs, trained one after the other and never stopped."""
    folder = tmp_path_factory.mktemp("straight")
    gate = Gate(folder)
    gate.open()
    subprocess.run(
        [sys.executable, "-m", "gan_lab", *GATED, BOTH],
        cwd=folder,
        env={**os.environ, **gate.environment, "OMP_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return weights("ring", folder)


@pytest.mark.parametrize(
    "launcher",
    [
        "cores",
        pytest.param("ray", marks=pytest.mark.ray),
        pytest.param("slurm", marks=pytest.mark.slurm),
    ],
)
@pytest.mark.usefixtures("_late")
def test_a_sweep_is_the_same_under_every_launcher(launcher: str, run_cli: Cli) -> None:
    sweep = ("train", "-m", "--config-dir", "mine", *TINY_POINTS, *FEW, "activation=late,relu,elu")
    words = (*sweep, "steps=20", "log.every=5")
    code, out, err = run_cli(*words, *PRESETS[launcher], "study=s")
    assert code == 1, err
    assert outcomes(out) == {"late": "failed", "relu": "finished", "elu": "finished"}
    assert "ValueError: too late (full log: outputs/s/activation=late" in out
    assert {one.device for one in statuses("s")} == {"cpu (1 thread)"}
    assert run_cli(*words, "study=basic")[0] == 1
    assert len(weights("basic")) == 2
    assert weights("s") == weights("basic")
    assert {path.name for path in Path("outputs/s").glob("*=*")} == {
        path.name for path in Path("outputs/basic").glob("*=*")
    }

    code, out, _ = run_cli(*words, *PRESETS[launcher], "study=s")
    assert (code, outcomes(out)) == (1, {"late": "failed", "relu": "skipped", "elu": "skipped"})


def test_cores_takes_all_of_them_with_one_thread_each() -> None:
    # Not run_cli, which says how many threads there shall be.
    alone = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    words = ("train", "-m", *TINY_POINTS, *FEW, "steps=4", "activation=relu,elu", "hydra/launcher=cores")
    subprocess.run([sys.executable, "-m", "gan_lab", *words], env=alone, check=True, capture_output=True)
    assert [one.device for one in statuses("ring")] == ["cpu (1 thread)"] * 2
    processes = {one.process for one in statuses("ring")}
    assert len(processes) == min(2, len(os.sched_getaffinity(0)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_has_every_process_save_its_run(
    number: signal.Signals, run_cli: Cli, gate: Gate, straight: dict[str, bytes]
) -> None:
    words = (*GATED, BOTH, *PRESETS["cores"])
    with started(*words) as process:
        until(lambda: len(gate.waiting()) == 2)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # Ctrl-C in a terminal reaches all of them
        else:
            process.send_signal(number)
        until(lambda: len(gate.signaled()) == 2)
        gate.open()
        out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert f"gan-lab: stopped by {number.name}" in err
    assert outcomes(out) == {"gated_relu": "interrupted", "gated_elu": "interrupted"}, out + err
    for one in statuses("ring"):
        assert one.state == "interrupted"
        assert one.step % 30 != 0  # saved when asked, not the last time that it was due
    code, out, err = run_cli(*words)
    assert code == 0, err
    assert outcomes(out) == {"gated_relu": "resumed", "gated_elu": "resumed"}
    assert weights("ring") == straight


def test_a_process_that_is_killed_costs_no_run(gate: Gate, straight: dict[str, bytes]) -> None:
    words = (*GATED, BOTH, *PRESETS["cores"])
    with started(*words) as process:
        until(lambda: len(gate.waiting()) == 2)
        os.kill(gate.waiting()[0], signal.SIGKILL)
        gate.open()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert outcomes(out) == {"gated_relu": "finished", "gated_elu": "finished"}
    assert weights("ring") == straight


@pytest.mark.slurm
def test_a_cancelled_job_is_a_run_that_failed_and_goes_on_when_repeated(
    cluster: dict[str, str], run_cli: Cli, gate: Gate, straight: dict[str, bytes]
) -> None:
    words = (*GATED, BOTH, *PRESETS["slurm"])
    with started(*words) as process:
        until(lambda: len(gate.waiting()) == 2)
        first = slurm.call(cluster, "squeue", "--array", "--noheader", "--format=%i").split()[0]
        slurm.call(cluster, "scancel", first)
        gate.open()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert sorted(outcomes(out).values()) == ["failed", "finished"]
    assert f"Slurm's job {first} ended without a result, killed or cancelled" in out
    code, out, err = run_cli(*words)
    assert code == 0, err
    assert sorted(outcomes(out).values()) == ["resumed", "skipped"]
    assert weights("ring") == straight


@pytest.mark.slurm
def test_a_job_that_is_killed_does_not_end_the_wait_for_the_others(
    cluster: dict[str, str], gate: Gate
) -> None:
    with started(*GATED, BOTH, *PRESETS["slurm"]) as process:
        until(lambda: len(gate.waiting()) == 2)
        os.kill(gate.waiting()[0], signal.SIGKILL)
        gate.open()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert sorted(outcomes(out).values()) == ["failed", "finished"]
    assert slurm.call(cluster, "squeue", "--noheader") == ""


@pytest.mark.slurm
@pytest.mark.parametrize("why", ["time", "preemption"])
def test_a_job_that_slurm_takes_off_its_node_comes_back_and_finishes(
    why: str, cluster: dict[str, str], gate: Gate, straight: dict[str, bytes]
) -> None:
    with started(*GATED, "activation=gated_relu", *PRESETS["slurm"]) as process:
        until(lambda: len(gate.waiting()) == 1)
        if why == "time":  # what submitit has Slurm send before the job's time is over
            (job,) = slurm.call(cluster, "squeue", "--noheader", "--format=%i").split()
            slurm.call(cluster, "scancel", "--signal=USR2", job)
        else:
            urgent = ("--partition=urgent", "--ntasks=2", "--mem=10", "--output=/dev/null")
            slurm.call(cluster, "sbatch", *urgent, "--wrap=sleep 2")
        until(lambda: len(gate.signaled()) == 1)
        gate.open()
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert outcomes(out) == {"gated_relu": "finished"}
    (log,) = Path("outputs/ring").glob("*/train.log")
    assert "interrupted, checkpoint of step" in log.read_text()
    assert "from step 0 to 600" in log.read_text()
    assert log.read_text().count("to 600") == 2
    assert weights("ring").items() <= straight.items()
    assert len(weights("ring")) == 1


@pytest.mark.ray
def test_a_ray_that_is_running_trains_in_the_folder_of_the_command(run_cli: Cli, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ray = str(Path(sys.executable).with_name("ray"))
    port = slurm.free_ports(1)[0]
    start = (ray, "start", "--head", "--num-cpus=1", "--include-dashboard=false", f"--port={port}", "--block")
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(start, cwd=elsewhere, start_new_session=True, **silent)
    try:
        address = f"hydra.launcher.ray.init.address=127.0.0.1:{port}"
        status = (ray, "status", f"--address=127.0.0.1:{port}")
        until(lambda: subprocess.run(status, capture_output=True).returncode == 0)
        words = ("train", "-m", *TINY_POINTS, *FEW, "steps=4", "activation=relu,elu")
        code, out, err = run_cli(*words, "hydra/launcher=ray_cluster", address)
        assert code == 0, err
        assert outcomes(out) == {"relu": "finished", "elu": "finished"}
        assert len(weights("ring")) == 2
        assert not any(elsewhere.iterdir())
    finally:
        process.terminate()  # it then stops what it has started
        process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
