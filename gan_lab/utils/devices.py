"""Which device a run trains on, and at which precision."""

import os

import torch

from gan_lab.utils.checks import refusal
from gan_lab.utils.errors import ConfigurationError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
DEVICES = "auto, cpu, cuda, cuda:<number> or mps"


def select_device(name: str) -> torch.device:
    """Return the device called ``name``: auto, cpu, cuda, cuda:1, mps.

    ``auto`` is CUDA if there is one, else Apple's MPS, else the CPU. CUDA without a number is the current
    device of the process (`torch.cuda.set_device`). Raises ConfigurationError for one that is not there.
    """
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    if name == "auto":
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise refusal("device", name, DEVICES) from None
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ConfigurationError(
                f"device={name} was asked for, but PyTorch sees {count} CUDA devices here; "
                "device=auto takes what there is"
            )
    elif device.type == "mps":
        if not torch.backends.mps.is_available():
            raise ConfigurationError(
                "device=mps was asked for, but PyTorch sees no Apple GPU here; "
                "device=auto takes what there is"
            )
    elif device.type != "cpu":
        raise refusal("device", name, DEVICES)
    return device


def set_deterministic(on: bool) -> None:
    """Make every operation give the same bits each time, or raise an error that names it."""
    if on:
        # Read when cuBLAS starts; one of the two values under which its matrix products are deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(on)


def describe_hardware(device: torch.device) -> str:
    """Return the GPU's name, or of a CPU the instructions that PyTorch uses there: ``cpu (AVX512)``."""
    if device.type == "cpu":
        return f"cpu ({torch.backends.cpu.get_cpu_capability()})"
    return describe_device(device)


def describe_device(device: torch.device) -> str:
    """Return the device's name for people, such as ``NVIDIA H200`` or ``cpu (2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else device.type
