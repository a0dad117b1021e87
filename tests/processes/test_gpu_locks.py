"""Processes of one machine share its GPUs: each locks one, and waits if none is free."""

import os
import select
import subprocess
import sys
from pathlib import Path

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
