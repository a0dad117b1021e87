"""The presets of hydra/launcher themselves, and how processes share the GPUs of a machine."""

import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hydra.core.config_store import ConfigStore

from gan_lab.config.errors import describe_error
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import TINY_POINTS, composed
from tests.helpers.sweeping import FEW

Cli = Callable[..., tuple[int, str, str]]


def test_gpus_says_where_there_are_none(run_cli: Cli) -> None:
    words = ("train", "-m", *TINY_POINTS, *FEW, "activation=relu,elu", "hydra/launcher=gpus")
    code, _, err = run_cli(*words, CUDA_VISIBLE_DEVICES="")
    assert code == 2
    assert err.startswith("gan-lab: hydra/launcher=gpus was asked for, but PyTorch sees no CUDA devices here")
    assert err.count("\n") == 1


LOCKING = """
import sys, torch
class Properties:
    def __init__(self, index): self.uuid = f"GPU-{index}"
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 2
torch.cuda.get_device_properties = Properties
current = []
torch.cuda.set_device = current.append
torch.cuda.current_device = lambda: current[-1] if current else 0
from gan_lab.utils.devices import select_device
from gan_lab.sweeps.gpus import OneGpuTask
from omegaconf import OmegaConf
def task(cfg):
    assert select_device("cuda") == select_device("auto")
    return select_device(cfg.device)
assert str(OneGpuTask(task)(OmegaConf.create({"device": "cpu"}))) == "cpu"
assert current == []
print(OneGpuTask(task)(OmegaConf.create({"device": "auto"})), flush=True)
sys.stdin.read()
"""


def test_each_process_locks_a_gpu_and_waits_if_none_is_free(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", LOCKING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(3)
    ]
    try:
        claimed: dict[subprocess.Popen[str], str] = {}
        while len(claimed) < 2:
            ready = select.select([p.stdout for p in processes if p not in claimed], [], [], 60)[0]
            assert ready
            claimed |= {p: p.stdout.readline().strip() for p in processes if p.stdout in ready}
        assert sorted(claimed.values()) == ["cuda:0", "cuda:1"]
        (waiting,) = set(processes) - set(claimed)
        assert select.select([waiting.stdout], [], [], 2)[0] == []
        next(process for process in claimed if claimed[process] == "cuda:1").kill()
        assert waiting.stdout is not None
        assert waiting.stdout.readline().strip() == "cuda:1"
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.parametrize(
    ("preset", "plugin", "extra"),
    [
        ("cores", "joblib", "joblib"),
        ("gpus", "joblib", "joblib"),
        ("slurm", "submitit_slurm", "slurm"),
        ("ray_cluster", "ray", "ray"),
    ],
)
def test_a_missing_extra_is_named(
    preset: str, plugin: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed()  # registers what is installed
    launchers = ConfigStore.instance().repo["hydra"]["launcher"]
    monkeypatch.delitem(launchers, f"{plugin}.yaml")
    with pytest.raises(Exception, match="Could not") as raised:
        composed(f"hydra/launcher={preset}")
    assert describe_error(raised.value) == (
        f"this hydra/launcher needs what the extra {extra!r} installs: pip install 'gan-lab[{extra}]'"
    )


def test_what_is_wrong_with_a_launchers_key_is_said() -> None:
    with pytest.raises(Exception, match="Error merging override") as raised:
        composed("hydra/launcher=slurm", "hydra.launcher.mem_gb=0.5")
    reason = "Value '0.5' of type 'float' could not be converted to Integer"
    assert describe_error(raised.value) == f"hydra.launcher.mem_gb: {reason}"


def test_presets_hide_no_launcher_of_a_plugin() -> None:
    composed()
    registered = {name.removesuffix(".yaml") for name in ConfigStore.instance().repo["hydra"]["launcher"]}
    assert {"basic", "joblib", "ray", "submitit_slurm"} <= registered
    assert not registered & {path.stem for path in (config_dir() / "hydra/launcher").glob("*.yaml")}
