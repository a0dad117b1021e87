"""One run per GPU of this machine, for ``hydra/launcher=gpus``. Imports torch only where it is used."""

import logging
import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.types import TaskFunction
from omegaconf import DictConfig

from gan_lab.utils.errors import ConfigurationError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OneGpuTask:
    """A run as a worker process calls it: on a GPU that no other worker of this user has."""

    task: TaskFunction

    def __call__(self, cfg: DictConfig) -> Any:
        if cfg.device in ("auto", "cuda"):  # a device with a number is the caller's own choice
            lock_gpu()
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
def lock_gpu() -> FileLock:
    """Make a GPU that no other process of this user has locked the current one; wait for one if necessary.

    The operating system releases the lock when the process ends, as CUDA does with its memory on the GPU.
    """
    import torch

    # A folder per user: anybody could block locks that all may write.
    user = os.getuid() if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"gan-lab-gpus-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # By name and not by number, because CUDA_VISIBLE_DEVICES may number them otherwise in another process.
    names = [torch.cuda.get_device_properties(index).uuid for index in range(torch.cuda.device_count())]
    locks = [FileLock(folder / f"{name}.lock") for name in names]
    _log.info("waiting for one of %d GPUs", len(locks))
    while True:
        for index, lock in enumerate(locks):
            with suppress(Timeout):
                lock.acquire(timeout=0)
                torch.cuda.set_device(index)
                return lock
        time.sleep(1)
