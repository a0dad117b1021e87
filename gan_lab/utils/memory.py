"""Fail early with a clear message when memory is insufficient."""

from pathlib import Path

import torch

from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import format_bytes

_CGROUP = Path("/sys/fs/cgroup")


def available(device: torch.device | None = None) -> int | None:
    """Return the free bytes of a GPU, or of this machine, container or job; None if unknown.

    Free on a GPU is also what PyTorch has kept of it and does not use: an earlier run's, say. A process that
    shares a GPU has its part of it.
    """
    if device is not None and device.type == "cuda":
        allocated = torch.cuda.memory_allocated(device)
        kept = torch.cuda.memory_reserved(device) - allocated
        free, total = torch.cuda.mem_get_info(device)
        part = torch.cuda.get_per_process_memory_fraction(device) * total - allocated
        return int(min(free + kept, part))
    limits = [n for n in (_of_the_machine(), _of_the_cgroup()) if n is not None]
    return min(limits, default=None)


def require_memory(needed: int, what: str, device: torch.device | None = None) -> None:
    """Raise ConfigurationError if ``what`` needs more bytes than are free.

    Linux promises more memory than it has, and kills the process that uses it: only asking first gives a
    message.
    """
    free = available(device)
    if free is not None and needed > free:
        raise ConfigurationError(
            f"{what} is too large for this machine: it takes at least {format_bytes(needed)} of memory, "
            f"and {format_bytes(free)} is free"
        )


def _of_the_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def _of_the_cgroup() -> int | None:
    """Return what a container's or a scheduler's limit (cgroup v2) leaves; page cache counts as free."""
    try:
        group = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
        folder = next(f for f in (_CGROUP / group, _CGROUP) if (f / "memory.max").is_file())
        limit = int((folder / "memory.max").read_text())
        cache = (folder / "memory.stat").read_text().split("inactive_file ")[1].split()[0]
        return limit - int((folder / "memory.current").read_text()) + int(cache)
    except (OSError, ValueError, StopIteration, IndexError):  # no limit is the word "max"
        return None
