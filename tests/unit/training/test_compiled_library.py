"""Libraries of compiled turns: found again for the same work only, and never loaded if they are broken."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from gan_lab.training.engines import compiled_library
from gan_lab.training.engines.compiled_library import find_library, library_digest, make_library

DIGEST = "0" * 32


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache's folder; what is "loaded" from it is the content of a file."""

    def compile_(traced: object, inputs: object, temporary: Path) -> Path:
        assert temporary.is_dir()
        (temporary / "made.so").write_bytes(b"a library")
        return temporary / "made.so"

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "compiled"))
    monkeypatch.setattr(compiled_library, "_compile", compile_)
    monkeypatch.setattr(compiled_library, "_loaded", lambda path: lambda: path.read_bytes())
    return tmp_path / "compiled"


def make() -> None:
    make_library(GraphModule({}, torch.fx.Graph()), (), DIGEST)


def test_what_was_made_is_found_and_nothing_else_is_left(folder: Path) -> None:
    assert find_library(DIGEST) is None
    make()
    (path,) = folder.iterdir()
    found = find_library(DIGEST)
    assert found is not None
    assert found() == b"a library"
    assert find_library("1" * 32) is None
    assert [*folder.iterdir()] == [path]


@pytest.mark.parametrize("content", [b"", b"a lib", bytes(9), b"a Library"])
def test_one_that_is_cut_short_or_changed_is_removed_and_made_again(folder: Path, content: bytes) -> None:
    make()
    (path,) = folder.iterdir()
    path.write_bytes(content)
    assert find_library(DIGEST) is None
    assert not path.exists()
    make()
    assert find_library(DIGEST) is not None


def test_a_broken_one_does_not_hide_a_whole_one(folder: Path) -> None:
    make()
    broken = folder / f"{DIGEST}.0123.so"
    broken.write_bytes(b"")
    (folder / f"{DIGEST}.zzzz.so").mkdir()
    assert find_library(DIGEST) is not None
    assert not broken.exists()


def test_where_nothing_can_be_kept_a_library_serves_this_process(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("a file")
    make()
    assert find_library(DIGEST) is None


def traced(function: Callable[..., Tensor], *inputs: Tensor) -> tuple[GraphModule, tuple[Tensor, ...]]:
    return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs), inputs


ONES, CONSTANT = torch.ones(4, 6), torch.tensor([1.0])
DIFFERENT = {
    "operation": lambda: traced(lambda x: x.cos(), ONES),
    "number": lambda: traced(lambda x: x * 2.0000000000000004, ONES),
    "shape": lambda: traced(lambda x: x * 2, torch.ones(4, 5)),
    "stride": lambda: traced(lambda x: x * 2, torch.ones(6, 4).T),
    "type": lambda: traced(lambda x: x * 2, ONES.bfloat16()),
    "constant": lambda: traced(lambda x: x * CONSTANT, ONES),
    "other constant": lambda: traced(lambda x: x * (CONSTANT + 1).detach(), ONES),
}


def test_other_work_has_another_digest() -> None:
    same = [library_digest(*traced(lambda x: x * 2, torch.rand(4, 6))) for _ in range(2)]
    assert same[0] == same[1]
    others = {name: library_digest(*make_traced()) for name, make_traced in DIFFERENT.items()}
    assert len({same[0], *others.values()}) == len(others) + 1


def test_a_constant_counts_with_its_numbers() -> None:
    def digest(constant: Tensor) -> str:
        return library_digest(*traced(lambda x: x * constant, ONES))

    assert digest(torch.tensor([1.5])) == digest(torch.tensor([1.5]))
    constants = [torch.tensor([1.5]), torch.tensor([1.5000001]), torch.tensor([[1.5]]), torch.tensor(1.5)]
    assert len({digest(constant) for constant in constants}) == len(constants)


@pytest.mark.parametrize("variable", ["CXX", "TORCHINDUCTOR_MAX_AUTOTUNE"])
def test_settings_of_the_compiler_count(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    work = traced(lambda x: x * 2, ONES)
    monkeypatch.delenv(variable, raising=False)
    before = library_digest(*work)
    monkeypatch.setenv(variable, "1")
    assert library_digest(*work) != before
    monkeypatch.delenv(variable)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "elsewhere")
    assert library_digest(*work) == before


def test_threads_processor_and_pytorch_count(monkeypatch: pytest.MonkeyPatch) -> None:
    work = traced(lambda x: x * 2, ONES)
    digests = [library_digest(*work)]
    monkeypatch.setattr(compiled_library, "_processor_flags", lambda: "flags: avx1024")
    digests.append(library_digest(*work))
    monkeypatch.setattr(torch, "__version__", "9.9")
    digests.append(library_digest(*work))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    digests.append(library_digest(*work))
    assert len(set(digests)) == len(digests)


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="of Linux")
def test_linux_says_what_its_processor_can() -> None:
    assert len(compiled_library._processor_flags().split()) > 10
