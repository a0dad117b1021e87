"""One run per GPU of this machine, or several: ``hydra/launcher=gpus``. Torch is imported late."""

import logging
import os
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout
from hydra.types import TaskFunction
from omegaconf import DictConfig

from gan_lab.utils.errors import ConfigurationError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OneGpuTask:
    """A run as a worker process calls it: on a GPU that has at most ``runs_per_gpu`` runs."""

    task: TaskFunction
    runs_per_gpu: int = 1

    def __call__(self, cfg: DictConfig) -> Any:
        if cfg.device in ("auto", "cuda"):  # a device with a number is the caller's own choice
            claim_gpu(self.runs_per_gpu)
        return self.task(cfg)


def count_gpus() -> int:
    """Return how many CUDA devices PyTorch sees; raises `ConfigurationError` if there are none."""
    import torch

    if not torch.cuda.is_available():
        raise ConfigurationError(
            "hydra/launcher=gpus was asked for, but PyTorch sees no CUDA devices here; "
            "hydra/launcher=cores takes the processor's cores"
        )
    return torch.cuda.device_count()


@cache
def claim_gpu(runs_per_gpu: int = 1) -> FileLock:
    """Make a GPU with room for a run the current one; wait for one if necessary.

    Room is where fewer runs of this user are than ``runs_per_gpu``, and than any of them allows; the emptiest
    GPU is taken first. The operating system releases the claim when the process ends, as CUDA does with its
    memory. A run that shares its GPU gets an equal part of that memory.
    """
    import torch

    # A folder per user: anybody could block locks that all may write.
    user = os.getuid() if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"gan-lab-gpus-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # By name and not by number, because CUDA_VISIBLE_DEVICES may number them otherwise in another process.
    names = [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]
    _log.info("waiting for one of %d GPUs", len(names))
    while True:
        with FileLock(folder / "claims.lock"):  # one process at a time looks who is where
            limits = [_held(folder, name) for name in names]
            room = [k for k, held in enumerate(limits) if len(held) < min([runs_per_gpu, *held])]
            if room:
                index = min(room, key=lambda k: len(limits[k]))
                if runs_per_gpu > 1:
                    torch.cuda.set_per_process_memory_fraction(1 / runs_per_gpu, index)
                torch.cuda.set_device(index)
                return _claim(folder, names[index], runs_per_gpu)
        time.sleep(1)


def _held(folder: Path, name: str) -> list[int]:
    """Return how many runs each claim on a GPU allows there. Claims of ended processes are removed."""
    limits = []
    for path in folder.glob(f"{name}.*.of*"):
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            limits.append(int(path.suffix.removeprefix(".of")))
        else:
            lock.release()
            path.unlink(missing_ok=True)
    return limits


def _claim(folder: Path, name: str, runs_per_gpu: int) -> FileLock:
    lock = FileLock(folder / f"{name}.{uuid4().hex}.of{runs_per_gpu}")
    lock.acquire()
    return lock
