"""Processes of one machine share its GPUs: each locks one, and waits if none is free."""

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

LOCKING = """
import sys, torch
runs_per_gpu = int(sys.argv[1])
class Properties:
    def __init__(self, index): self.uuid = f"GPU-{index}"
torch.cuda.is_available = lambda: True
torch.cuda.device_count = lambda: 2
torch.cuda.get_device_properties = Properties
current, fractions = [], []
torch.cuda.set_per_process_memory_fraction = lambda *part: fractions.append(part)
torch.cuda.set_device = current.append
torch.cuda.current_device = lambda: current[-1] if current else 0
from gan_lab.utils.devices import select_device
from gan_lab.sweeps.gpus import OneGpuTask
from omegaconf import OmegaConf
def task(cfg):
    assert select_device("cuda") == select_device("auto")
    return select_device(cfg.device)
assert str(OneGpuTask(task, runs_per_gpu)(OmegaConf.create({"device": "cpu"}))) == "cpu"
assert current == []
print(OneGpuTask(task, runs_per_gpu)(OmegaConf.create({"device": "auto"})), fractions, flush=True)
sys.stdin.read()
"""


Process = subprocess.Popen[str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[int], Process]]:
    """Starts a process that wants a GPU which so many runs may share."""
    processes: list[Process] = []

    def start_one(runs_per_gpu: int) -> Process:
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        command = [sys.executable, "-c", LOCKING, str(runs_per_gpu)]
        pipe = subprocess.PIPE
        processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment))
        return processes[-1]

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def claims(processes: list[Process], number: int) -> dict[Process, str]:
    """Wait until so many of the processes have a GPU, and return which."""
    claimed: dict[Process, str] = {}
    while len(claimed) < number:
        ready = select.select([p.stdout for p in processes if p not in claimed], [], [], 60)[0]
        assert ready
        claimed |= {p: p.stdout.readline().strip() for p in processes if p.stdout in ready}
    return claimed


def is_waiting(process: Process) -> bool:
    return select.select([process.stdout], [], [], 2)[0] == []


def test_each_process_locks_a_gpu_and_waits_if_none_is_free(start: Callable[[int], Process]) -> None:
    processes = [start(1) for _ in range(3)]
    claimed = claims(processes, 2)
    assert sorted(claimed.values()) == ["cuda:0 []", "cuda:1 []"]
    (waiting,) = set(processes) - set(claimed)
    assert is_waiting(waiting)
    next(process for process in claimed if claimed[process] == "cuda:1 []").kill()
    assert claims([waiting], 1) == {waiting: "cuda:1 []"}


def test_runs_share_gpus_evenly_and_have_a_part_of_the_memory(start: Callable[[int], Process]) -> None:
    processes = [start(2) for _ in range(5)]
    claimed = claims(processes, 4)
    assert sorted(claimed.values()) == [f"cuda:{k} [(0.5, {k})]" for k in (0, 0, 1, 1)]
    (waiting,) = set(processes) - set(claimed)
    assert is_waiting(waiting)
    process, gpu = claimed.popitem()
    process.kill()
    assert claims([waiting], 1) == {waiting: gpu}


def test_a_gpu_is_not_shared_with_a_run_that_wants_it_for_itself(start: Callable[[int], Process]) -> None:
    alone = start(1)
    (gpu,) = claims([alone], 1).values()
    assert gpu == "cuda:0 []"
    sharing = [start(2) for _ in range(3)]
    claimed = claims(sharing, 2)
    assert list(claimed.values()) == ["cuda:1 [(0.5, 1)]"] * 2
    (waiting,) = set(sharing) - set(claimed)
    assert is_waiting(waiting)
    other = start(1)
    assert is_waiting(other)
    alone.kill()
    assert "cuda:0" in next(iter(claims([waiting, other], 1).values()))
