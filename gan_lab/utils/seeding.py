"""Random streams that are functions of (seed, name, block): nothing to save, nothing to rewind.

Each seed of a run has its own streams ("noise", "order", ...). A stream is a sequence of blocks, and every
block has a generator of its own, seeded by a hash of seed, name and block number. Numbers therefore depend
neither on the other seeds of the run nor on how the run came to its present step, so resuming is exact.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream_seed(seed: int, name: str, block: int = 0) -> int:
    """63-bit seed of one block of the stream ``name``; SHA-256, so that neighbors are unrelated."""
    digest = hashlib.sha256(f"gan-lab/{seed}/{name}/{block}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(seed: int, name: str, block: int = 0, device: torch.device | str = "cpu") -> torch.Generator:
    """Generator at the start of one block of a stream; numbers differ between kinds of device."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name, block))


@contextmanager
def seeded(seed: int, name: str) -> Iterator[None]:
    """Run code that draws from torch's global CPU generator (constructors, ``nn.init``) on a stream.

    The global state is put back afterwards, so building one thing never shifts another.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, name))
        yield
