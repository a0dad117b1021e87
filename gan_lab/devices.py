"""Which device a run trains on, and at which precision."""

import os

import torch

from gan_lab.errors import ConfigurationError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def select_device(name: str) -> torch.device:
    """The device called ``name`` (``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``, ...).

    ``auto`` is CUDA where there is one, else Apple's MPS, else the CPU.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
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


def be_deterministic(on: bool) -> None:
    """Have every operation give the same bits each time, or raise an error that names it."""
    if on:
        # Read when cuBLAS begins; one of the two values under which its matrix products are deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(on)


def describe_device(device: torch.device) -> str:
    """The device's name for people, such as ``NVIDIA H200`` or ``cpu (2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({torch.get_num_threads()} threads)" if device.type == "cpu" else "mps"
