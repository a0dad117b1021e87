"""How much memory is free, as the system and a container say it."""

import os
from pathlib import Path

import pytest
import torch

from gan_lab.sweeps.job import release_gpu_memory
from gan_lab.utils import memory
from gan_lab.utils.errors import ConfigurationError


def test_memory_that_is_free_is_read_from_the_system() -> None:
    free = memory.available()
    if not Path("/proc/meminfo").exists():
        pytest.skip("only Linux says it like this")
    assert free is not None
    assert 2**20 < free <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def test_memory_of_a_container_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, content in (
        ("memory.max", "3000000"),
        ("memory.current", "1000000"),
        ("memory.stat", "anon 1\ninactive_file 500000\n"),
    ):
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    assert memory.available() == 2_500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert (memory.available() or 0) > 2**20


def test_what_pytorch_keeps_of_a_gpu_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run of a process finds what the first one has left in PyTorch's hands."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1_000, 10_000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 8_000)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: 1.0)
    assert memory.available(torch.device("cuda", 1)) == 8_500
    # Of a GPU that is shared by two, half is free but for what is taken of it.
    monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: 0.5)
    assert memory.available(torch.device("cuda", 1)) == 4_500


def test_a_gpus_memory_is_released_where_one_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    released: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: released.append(True))
    release_gpu_memory()
    assert not released
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    release_gpu_memory()
    assert released == [True]


def test_too_much_is_refused_with_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda device=None: 2**21)
    memory.require_memory(2**21, "seeds=3")
    with pytest.raises(
        ConfigurationError,
        match=r"^x is too large for this machine: it takes at least 3 GiB of memory, and 2 MiB is free$",
    ):
        memory.require_memory(3 * 2**30, "x")
    monkeypatch.setattr(memory, "available", lambda device=None: None)  # where nobody says it
    memory.require_memory(2**60, "seeds=3")
