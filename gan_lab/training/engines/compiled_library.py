"""Compiled turns as libraries: loaded from gan-lab's cache in no time, without PyTorch's compiler.

PyTorch makes a shared library of a flat list of operations (AOTInductor). It is called from C++, and loading
it needs neither the compiler's Python nor its caches. A library is kept under a digest of all that it was
made from, and its own: one that a crash has cut short, or that anybody has changed, is never loaded.
"""

import hashlib
import logging
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor
from torch.fx import GraphModule

from gan_lab.training.engines.compile_cache import VARIABLE, cache_folder
from gan_lab.utils.devices import describe_hardware
from gan_lab.utils.files import atomic_write

_log = logging.getLogger(__name__)

_VERSION = 1  # of how libraries are made; another number has all made again
_OPTIONS = {
    # Of PyTorch's headers: they take longer to make than they spare, and half a GB.
    "aot_inductor.precompile_headers": False,
    # Of what calls the loops, not of the loops.
    "aot_inductor.compile_wrapper_opt_level": "O0",
}


def find_library(digest: str) -> Callable[..., Sequence[Tensor]] | None:
    """Load the library of this digest, None if there is none.

    It must be called with tensors like those it was made for: nothing looks whether they are.
    """
    folder = cache_folder()
    path = _find(folder, digest) if folder is not None else None
    return _loaded(path) if path is not None else None


def make_library(
    traced: GraphModule, inputs: Sequence[Tensor], digest: str
) -> Callable[..., Sequence[Tensor]]:
    """Compile a traced function for inputs like these, and keep the library. Raises whatever PyTorch does."""
    folder = cache_folder()
    with TemporaryDirectory(prefix="gan-lab-") as temporary:
        path = _compile(traced, inputs, Path(temporary))
        loaded = _loaded(path)
        if folder is not None:
            content = path.read_bytes()
            atomic_write(folder / f"{digest}.{_sha256(content)}.so", content)
    return loaded


def library_digest(traced: GraphModule, inputs: Sequence[Tensor]) -> str:
    """Return a digest of all that a library depends on: operations, inputs, PyTorch, processor, settings."""
    variables = ("TORCHINDUCTOR_", "AOT_INDUCTOR_", "CXX")
    parts = (
        _VERSION,
        torch.__version__,
        sys.platform,
        platform.machine(),
        describe_hardware(torch.device("cpu")),
        _processor_flags(),
        torch.get_num_threads(),
        sorted(x for x in os.environ.items() if x[0].startswith(variables) and x[0] != VARIABLE),
        [(tuple(x.shape), x.stride(), str(x.dtype)) for x in inputs],
        *_described(traced),
    )
    return _sha256(repr(parts).encode())


def _loaded(path: Path) -> Callable[..., Sequence[Tensor]]:
    runner = torch._C._aoti.AOTIModelContainerRunnerCpu(str(path), 1)

    def call(*inputs: Tensor) -> Sequence[Tensor]:
        outputs: Sequence[Tensor] = runner.run(list(inputs))
        return outputs

    return call


def _compile(traced: GraphModule, inputs: Sequence[Tensor], folder: Path) -> Path:
    """Compile with everything that the compiler writes in ``folder``; return the library."""
    from torch._inductor import aot_compile
    from torch._inductor.utils import fresh_cache

    logging.getLogger("torch._inductor.utils").setLevel(logging.ERROR)  # where the folder is after a failure
    with torch.no_grad(), fresh_cache(dir=str(folder), delete=False):
        path = Path(str(aot_compile(traced, tuple(inputs), options=_OPTIONS)))
    if path.with_suffix(".json").exists():
        raise RuntimeError("it has operations that only Python can call")
    return path


def _find(folder: Path, digest: str) -> Path | None:
    """Return the library of this digest, after removing those of it that are not what their names say."""
    for path in sorted(folder.glob(f"{digest}.*.so")):
        try:
            if path.name == f"{digest}.{_sha256(path.read_bytes())}.so":
                return path
            path.unlink(missing_ok=True)
        except OSError:
            continue
        _log.info("compiled again, as it is broken: %s", path)
    return None


def _described(traced: GraphModule) -> Iterator[str]:
    """Yield the code of a traced function, and the constants that it reads."""
    yield traced.code
    for node in traced.graph.nodes:
        if node.op != "get_attr":
            continue
        value: Any = traced
        for name in str(node.target).split("."):
            value = getattr(value, name)
        if isinstance(value, GraphModule):
            yield from _described(value)
        elif isinstance(value, Tensor):
            numbers = value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            yield f"{node.target} {value.dtype} {tuple(value.shape)} {_sha256(numbers)}"
        else:
            yield f"{node.target} {value!r}"


def _processor_flags() -> str:
    """Return the instructions that compiled code may use here, empty where Linux does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
