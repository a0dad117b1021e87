"""Random streams that are functions of (seed, name, block): nothing to save, nothing to rewind.

Each seed of a run has its own streams ("noise", "order", ...). A stream is a sequence of blocks, and every
block has a generator of its own, seeded by a hash of seed, name and block number. Numbers therefore depend
neither on the other seeds of the run nor on how the run came to its present step, so resuming is exact.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def stream_seed(seed: int, name: str, block: int = 0) -> int:
    """63-bit seed of one block of the stream ``name``; SHA-256, so that neighbors are unrelated."""
    digest = hashlib.sha256(f"gan-lab/{seed}/{name}/{block}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(seed: int, name: str, block: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """Generator at the start of one block of a stream; numbers differ between kinds of device."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name, block))


@contextmanager
def seeded(seed: int, name: str, block: int = 0, device: torch.device | str = "cpu") -> Iterator[None]:
    """Run code that draws from global generators (constructors, dropout) on one block of a stream.

    These are PyTorch's on the CPU and on ``device``, NumPy's and Python's. Their states are put back
    afterwards, so that one thing never shifts another; those of other devices are left alone.
    """
    python, numpy = random.getstate(), np.random.get_state()
    number = stream_seed(seed, name, block)
    try:
        with torch_seeded(number, device):
            random.seed(number)
            np.random.seed(number % 2**32)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def torch_seeded(number: int, device: torch.device | str = "cpu") -> Iterator[None]:
    """Seed PyTorch's global generators on the CPU and on ``device``, and put their states back afterwards.

    `torch.manual_seed` would seed those of all devices, of which nobody keeps the states.
    """
    with _device_seeded(torch.device(device), number), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(number)
        yield


@contextmanager
def _device_seeded(device: torch.device, number: int) -> Iterator[None]:
    if device.type in ("cpu", "meta"):
        yield
        return
    module = torch.get_device_module(device)
    if device.type == "mps":  # the only one of its kind, so its functions are given none
        state = module.get_rng_state()
        module.manual_seed(number)
    else:
        state = module.get_rng_state(device)
        with module.device(device):
            module.manual_seed(number)
    try:
        yield
    finally:
        module.set_rng_state(state, *([] if device.type == "mps" else [device]))


def random_state() -> tuple[bytes, str, str]:
    """The state of the global generators on the CPU: another one after something has been drawn."""
    _, keys, *position = np.random.get_state()
    numpy = hashlib.sha256(np.asarray(keys).tobytes()).hexdigest() + str(position)
    return torch.get_rng_state().numpy().tobytes(), numpy, str(hash(random.getstate()))
