"""Which device a run trains on, and at which precision."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from gan_lab.utils.checks import refusal
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import plural

# Name -> what networks are autocast to. With tf32, CUDA rounds the factors of float32 products.
PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
TF32_SINCE = (8, 0)  # compute capability of Ampere, the first GPUs that have it
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


def find_device(device: torch.device | str) -> torch.device:
    """Return a device that is one already, or the one of that name, see `select_device`."""
    if isinstance(device, torch.device):
        return device
    if not isinstance(device, str):
        raise refusal("device", device, DEVICES)
    return select_device(device)


@contextmanager
def computing_on(
    device: torch.device, precision: str = "fp32", *, deterministic: bool | None = None
) -> Iterator[None]:
    """Make ``device`` the current one, computing at this precision; everything is as before afterwards.

    fp32 and bf16 compute in float32 what is not autocast, without TF32, which PyTorch otherwise takes in
    convolutions; tf32 takes it there and in matrix products. deterministic: every operation gives the same
    bits each time, or raises an error that names it; otherwise cuDNN times its algorithms and takes the
    fastest; None leaves that as it is. Raises ConfigurationError where TF32 is asked for and missing.
    """
    if precision == "tf32":
        _require_tf32(device)
    if deterministic:
        # Read when cuBLAS starts; one of the two values under which its matrix products are deterministic.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with ExitStack() as stack:
        # Saying it imports PyTorch's compiler, which takes longer than the rest of PyTorch.
        if deterministic not in (None, before := torch.are_deterministic_algorithms_enabled()):
            stack.callback(torch.use_deterministic_algorithms, before)
            torch.use_deterministic_algorithms(deterministic)
        if device.type == "cuda":
            # A captured graph has what is launched on the current device, and nothing of any other.
            stack.enter_context(torch.cuda.device(device))
            cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
            stack.enter_context(_set(cudnn, "allow_tf32", precision == "tf32"))
            stack.enter_context(_set(matmul, "allow_tf32", precision == "tf32"))
            if deterministic is not None:
                stack.enter_context(_set(cudnn, "benchmark", not deterministic))
        yield


@contextmanager
def _set(flags: Any, name: str, value: bool) -> Iterator[None]:
    before = getattr(flags, name)
    setattr(flags, name, value)
    try:
        yield
    finally:
        setattr(flags, name, before)


def _require_tf32(device: torch.device) -> None:
    if device.type != "cuda":
        raise ConfigurationError(f"precision=tf32 needs a CUDA device, and this is {device.type}")
    has = torch.cuda.get_device_capability(device)
    if has < TF32_SINCE:
        needed, got = (".".join(map(str, version)) for version in (TF32_SINCE, has))
        raise ConfigurationError(
            f"precision=tf32 needs a GPU of compute capability {needed} or more, "
            f"and {torch.cuda.get_device_name(device)} has {got}"
        )


def describe_hardware(device: torch.device) -> str:
    """Return the GPU's name, or of a CPU the instructions that PyTorch uses there: ``cpu (AVX512)``."""
    if device.type == "cpu":
        return f"cpu ({torch.backends.cpu.get_cpu_capability()})"
    return describe_device(device)


def describe_device(device: torch.device) -> str:
    """Return the device's name for people, such as ``NVIDIA H200`` or ``cpu (2 threads)``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({plural(torch.get_num_threads(), 'thread')})" if device.type == "cpu" else device.type
