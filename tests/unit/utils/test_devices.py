"""Names of devices: what is there, and a sentence for what is not."""

from typing import Any

import pytest
import torch

from gan_lab.utils.devices import describe_device, select_device
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
    assert describe_device(torch.device("cpu")) == f"cpu ({torch.get_num_threads()} threads)"
