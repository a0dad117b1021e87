"""Which device a run trains on, and at which precision."""

import logging
import os
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from gan_lab.utils.errors import ConfigurationError

_log = logging.getLogger(__name__)

# Set by hydra/launcher=gpus. No key, because which GPU a run got does not make it another run.
GPU_LOCK_ENV = "GAN_LAB_CLAIM_GPU"
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def select_device(name: str) -> torch.device:
    """The device called ``name`` (``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, ...).

    ``auto`` is CUDA where there is one, else Apple's MPS, else the CPU. Where ``$GAN_LAB_CLAIM_GPU`` is set,
    CUDA without a number is the GPU that this process has claimed.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", _lock_gpu()[0]) if os.environ.get(GPU_LOCK_ENV) else torch.device("cuda")
    if name == "auto":
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigurationError(
            f"device must be auto, cpu, cuda, cuda:<number> or mps, got {name!r}"
        ) from None
    if device.type == "cuda":
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= found:
            raise ConfigurationError(
                f"device={name} was asked for, but PyTorch sees {found} CUDA devices here; "
                "device=auto takes what there is"
            )
    elif device.type == "mps":
        if not torch.backends.mps.is_available():
            raise ConfigurationError(
                "device=mps was asked for, but PyTorch sees no Apple GPU here; "
                "device=auto takes what there is"
            )
    elif device.type != "cpu":
        raise ConfigurationError(f"device must be auto, cpu, cuda or mps, got {name!r}")
    return device


def set_deterministic(on: bool) -> None:
    """Have every operation give the same bits each time, or raise an error that names it."""
    if on:
        # Read when cuBLAS begins; one of the two values under which its matrix products are deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(on)


def count_gpus() -> int:
    """How many CUDA devices PyTorch sees here; raises `ConfigurationError` where it sees none."""
    if not torch.cuda.is_available():
        raise ConfigurationError(
            "hydra/launcher=gpus was asked for, but PyTorch sees no CUDA devices here; "
            "hydra/launcher=cores takes the processor's cores"
        )
    return torch.cuda.device_count()


@cache
def _lock_gpu() -> tuple[int, FileLock]:
    """Number of a GPU that no other process of this user has claimed; waits until there is one.

    The operating system releases the claim with the process, as CUDA does with what it holds on the GPU.
    """
    # A folder for each user: locks that all may write are locks with which anybody may do harm.
    user = os.getuid() if hasattr(os, "getuid") else ""
    folder = Path(tempfile.gettempdir()) / f"gan-lab-gpus-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    # By name and not by number: CUDA_VISIBLE_DEVICES may number them otherwise elsewhere.
    names = [torch.cuda.get_device_properties(k).uuid for k in range(torch.cuda.device_count())]
    locks = [FileLock(folder / f"{name}.lock") for name in names]
    _log.info("claiming one of %d GPUs", len(locks))
    while True:
        for index, lock in enumerate(locks):
            with suppress(Timeout):
                lock.acquire(timeout=0)
                torch.cuda.set_device(index)
                return index, lock
        time.sleep(1)


def describe_device(device: torch.device) -> str:
    """The device's name for people, such as ``NVIDIA H200`` or ``cpu (2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.get_num_threads()} threads)" if device.type == "cpu" else "mps"
