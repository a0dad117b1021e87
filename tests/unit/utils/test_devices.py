"""Names of devices: what is there, and a sentence for what is not."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from gan_lab.utils.devices import computing_on, describe_device, select_device
from gan_lab.utils.errors import ConfigurationError


@pytest.mark.parametrize("name", ["toaster", "cuda:-1", "cuda:x", "meta", "cpu:cpu", ""])
def test_what_is_no_device_of_ours_is_refused(name: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"^device must be auto, cpu, cuda, cuda:<number> or mps, got "
    ):
        select_device(name)


@pytest.mark.parametrize(("name", "missing"), [("cuda", "0 CUDA devices"), ("mps", "no Apple GPU")])
def test_a_device_that_is_missing_is_named(name: str, missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigurationError, match=f"device={name} was asked for, but PyTorch sees {missing}"):
        select_device(name)
    assert select_device("auto") == torch.device("cpu")


def test_cuda_without_a_number_is_the_current_device(monkeypatch: pytest.MonkeyPatch) -> None:
    current: list[int] = [0]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: current[-1])
    assert select_device("auto") == select_device("cuda") == torch.device("cuda", 0)
    current.append(3)
    assert select_device("auto") == select_device("cuda") == torch.device("cuda", 3)
    assert select_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ConfigurationError, match="device=cuda:4 was asked for, but PyTorch sees 4"):
        select_device("cuda:4")


def test_apples_gpu_is_taken_if_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert select_device("auto") == select_device("mps") == torch.device("mps")


def test_a_device_is_described_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[Any, str] = {torch.device("cuda", 1): "NVIDIA H200"}
    monkeypatch.setattr(torch.cuda, "get_device_name", names.__getitem__)
    assert describe_device(torch.device("cuda", 1)) == "NVIDIA H200"
    for threads, words in ((1, "cpu (1 thread)"), (2, "cpu (2 threads)")):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        assert describe_device(torch.device("cpu")) == words


def flags() -> tuple[bool, ...]:
    """Whether cuDNN and cuBLAS may take TF32, cuDNN times its algorithms, and bits have to be the same."""
    backends = torch.backends
    precise = backends.cudnn.allow_tf32, backends.cuda.matmul.allow_tf32, backends.cudnn.benchmark
    return (*precise, torch.are_deterministic_algorithms_enabled())


@pytest.fixture
def current(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Devices that are current, the innermost last, on a machine that seems to have an H200."""
    devices: list[torch.device] = []

    @contextmanager
    def device(wanted: torch.device) -> Iterator[None]:
        devices.append(wanted)
        yield
        devices.pop()

    monkeypatch.setattr(torch.cuda, "device", device)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    return devices


@pytest.mark.parametrize(
    ("precision", "deterministic", "expected"),
    [
        ("fp32", False, (False, False, True, False)),
        ("bf16", False, (False, False, True, False)),
        ("tf32", False, (True, True, True, False)),
        ("tf32", True, (True, True, False, True)),
    ],
)
def test_a_gpu_is_current_and_as_exact_as_asked_and_all_is_as_before_afterwards(
    precision: str, deterministic: bool, expected: tuple[bool, ...], current: list[torch.device]
) -> None:
    before, device = flags(), torch.device("cuda", 1)
    with computing_on(device, precision, deterministic=deterministic):
        assert (flags(), current) == (expected, [device])
    assert flags() == before
    with computing_on(device):  # to look at what is trained
        assert flags()[:2] == (False, False)
        assert flags()[2:] == before[2:]


def test_a_cpu_is_left_as_it_is(current: list[torch.device]) -> None:
    before = flags()
    with computing_on(torch.device("cpu"), "bf16", deterministic=True):
        assert flags() == (*before[:3], True)
    assert flags() == before
    assert not current


def test_tf32_where_there_is_none_is_refused(
    current: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"^precision=tf32 needs a CUDA device, and this is cpu$"),
        computing_on(torch.device("cpu"), "tf32"),
    ):
        pass
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with (
        pytest.raises(ConfigurationError, match=r"capability 8\.0 or more, and Tesla T4 has 7\.5$"),
        computing_on(torch.device("cuda", 0), "tf32"),
    ):
        pass
