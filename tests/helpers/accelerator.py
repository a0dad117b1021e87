"""A pretended accelerator, for tests of what a GPU would refuse or wait for, on a machine that has none.

`install` makes a device ``pretended:0`` of this process, for good. Its tensors hold tensors of the CPU, so
that values, gradients and `torch.func.vmap` are real, but they refuse what a real device refuses: to compute
with tensors or random generators of the CPU, and float64 (as Apple's GPUs do). `LEDGER` counts what a real
device would be asked to do: operations that it launches, values that are read back, and copies to it that the
processor waits for. It cannot show captured graphs, streams, or how long a kernel takes.
"""

import contextlib
import traceback
from collections import Counter
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "pretended"
COPIES = {"copy_", "_to_copy"}
INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
# Their result, or the size of it, is known only to the device: the processor waits.
READS = {"_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "bincount", "_unique2"}
# They launch nothing, though no schema calls them views.
FREE = {"detach", "lift_fresh", "_unsafe_view", "_reshape_alias", "empty", "empty_like", "empty_strided"}
FREE |= {"new_empty", "new_empty_strided"}
OURS = ("/gan_lab/", "torch/optim/", "nn/utils/")


class Refused(RuntimeError):
    """What a real device would have refused, and which line asked for it."""


class Ledger:
    """What the device has been asked since `clear`: operation, or operation and line -> how often."""

    def __init__(self) -> None:
        self.launches: Counter[str] = Counter()
        self.reads: Counter[str] = Counter()
        self.blocking: Counter[str] = Counter()
        self.refused: list[str] = []

    def clear(self) -> None:
        for counter in (self.launches, self.reads, self.blocking):
            counter.clear()
        self.refused.clear()

    def refuse(self, what: str) -> Refused:
        """Return the error of a refusal; remembered, as a run goes on when an observer fails."""
        self.refused.append(f"{what} ({_asked_by()})")
        return Refused(self.refused[-1])


LEDGER = Ledger()


class DeviceTensor(Tensor):
    """A tensor of the device; ``raw``, on the CPU, has its values."""

    raw: Tensor
    # Dispatched operations are all that counts: nothing happens before.
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @staticmethod
    def __new__(cls, raw: Tensor) -> "DeviceTensor":
        made: DeviceTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            raw.shape,
            strides=raw.stride(),
            storage_offset=raw.storage_offset(),
            dtype=raw.dtype,
            device=torch.device(NAME, 0),
        )
        made.raw = raw
        return made

    @classmethod
    def __torch_dispatch__(
        cls, func: OpOverload, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _dispatch(func, args, kwargs or {})

    def __repr__(self, **_: Any) -> str:
        return f"DeviceTensor({tuple(self.shape)}, {self.dtype})"

    def tolist(self) -> Any:
        return self.detach().cpu().tolist()

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            copied: Tensor = self.detach().clone()
            if isinstance(self, torch.nn.Parameter):
                copied = torch.nn.Parameter(copied, self.requires_grad)
            memo[id(self)] = copied.requires_grad_(self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.detach().cpu().__reduce_ex__(protocol)


class Generator(torch.Generator):
    """`torch.Generator`, for this device too: there it draws what one on the CPU would."""

    on_device: ClassVar[dict[int, torch.Generator]] = {}

    def __new__(cls, device: Any = "cpu") -> "Generator":
        made = super().__new__(cls)
        if torch.device(device).type == NAME:
            # By address, as operations get to see another object; kept, so that none takes its place.
            cls.on_device[made._cdata] = made
        return made


class OnDevice(TorchDispatchMode):
    """Sees what makes a tensor on the device from none that is there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        return _dispatch(func, args, kwargs)


class Backend(backend_registration._DummyBackendModule):
    """What PyTorch asks a kind of device as a whole: here, for its global generator."""

    def __init__(self) -> None:
        self.generator = torch.Generator().manual_seed(0)

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def get_rng_state(self, device: Any = None) -> Tensor:
        return self.generator.get_state()

    def set_rng_state(self, state: Tensor, device: Any = None) -> None:
        self.generator.set_state(state)

    def manual_seed(self, seed: int) -> None:
        self.generator.manual_seed(seed)

    manual_seed_all = manual_seed

    def device(self, device: Any) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def synchronize(self, device: Any = None) -> None:
        pass


def is_supported() -> bool:
    """Whether this PyTorch can have such a device: what it takes is not public."""
    return hasattr(backend_registration, "_setup_privateuseone_for_python_backend")


def install() -> torch.device:
    """Make the device, and return it; this process has it from now on."""
    global _BACKEND
    _BACKEND = Backend()
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_BACKEND)
    torch.Generator = Generator  # type: ignore[misc]
    # Autocasting passes: dtypes are not what is tested here.
    _KEPT.append(torch.library.Library("_", "IMPL"))
    _KEPT[0].fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    _KEPT.append(OnDevice())
    _KEPT[1].__enter__()
    return torch.device(NAME, 0)


_KEPT: list[Any] = []
_BACKEND: Backend


def _dispatch(func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do one operation: refuse it, count it, and compute it on the CPU."""
    leaves = tree_leaves((args, kwargs))
    ours = [leaf for leaf in leaves if isinstance(leaf, DeviceTensor)]
    target = kwargs.get("device")
    here = bool(ours) if target is None else torch.device(target).type == NAME
    if not ours and not here:
        return func(*args, **kwargs)
    name = func._schema.name.partition("::")[2]
    theirs = [leaf for leaf in leaves if isinstance(leaf, Tensor) and not isinstance(leaf, DeviceTensor)]
    into_cpu = name == "copy_" and not isinstance(args[0], DeviceTensor)
    if name in COPIES:
        waits = not (kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2]))
        if into_cpu or not here:
            LEDGER.reads[f"{name}: {_asked_by()}"] += 1
        elif theirs and waits:
            LEDGER.blocking[f"{name}: {_asked_by()}"] += 1
    elif name in INDEXED and theirs:
        LEDGER.blocking[f"{name} with indices on the CPU: {_asked_by()}"] += 1
    elif ours and any(tensor.dim() or name.startswith(("_foreach", "_fused")) for tensor in theirs):
        shapes = [tuple(tensor.shape) for tensor in theirs]
        raise LEDGER.refuse(f"{name} mixes devices: tensors of shape {shapes} are on the CPU")
    if name in READS or (name == "repeat_interleave" and len(ours) > 1):
        LEDGER.reads[f"{name}: {_asked_by()}"] += 1
    generator = kwargs.get("generator")
    if generator is not None and generator._cdata not in Generator.on_device:
        raise LEDGER.refuse(f"{name} draws for the device from a generator of the CPU")
    out = _computed(func, args, kwargs, generator)
    results = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
    if not here or into_cpu or not (results or not func._schema.returns):
        return args[0] if into_cpu else out
    if any(tensor.dtype in (torch.float64, torch.complex128) for tensor in results):
        raise LEDGER.refuse(f"{name} makes float64 on the device")
    if not func.is_view and name not in FREE and (not results or any(t.numel() for t in results)):
        # One kernel each for the gradients of inputs, weights and bias.
        LEDGER.launches[name] += sum(args[-1]) if name == "convolution_backward" else 1
    wrapped = tree_map(lambda leaf: DeviceTensor(leaf) if isinstance(leaf, Tensor) else leaf, out)
    return _written(func, args, kwargs, wrapped)


def _computed(
    func: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any], generator: torch.Generator | None
) -> Any:
    raw_args, raw_kwargs = tree_map(
        lambda leaf: leaf.raw if isinstance(leaf, DeviceTensor) else leaf, (args, dict(kwargs))
    )
    if raw_kwargs.get("device") is not None:
        raw_kwargs["device"] = torch.device("cpu")
    raw_kwargs.pop("pin_memory", None)
    if generator is not None or torch.Tag.nondeterministic_seeded not in func.tags:
        return func(*raw_args, **raw_kwargs)
    # It draws from the device's global generator, and leaves the CPU's as it is.
    cpu = torch.get_rng_state()
    torch.set_rng_state(_BACKEND.generator.get_state())
    try:
        return func(*raw_args, **raw_kwargs)
    finally:
        _BACKEND.generator.set_state(torch.get_rng_state())
        torch.set_rng_state(cpu)


def _written(func: OpOverload, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: Any) -> Any:
    """Return what was written to itself, as operations in place do, and what is new as it is."""
    given = dict(zip([argument.name for argument in func._schema.arguments], args, strict=False)) | dict(
        kwargs
    )
    results = []
    returns = func._schema.returns
    for position, value in zip(returns, out if len(returns) > 1 else [out], strict=False):
        alias = position.alias_info
        if alias is not None and alias.is_write:
            value = next(
                given[argument.name]
                for argument in func._schema.arguments
                if argument.alias_info is not None
                and argument.alias_info.is_write
                and argument.alias_info.before_set == alias.before_set
            )
        results.append(value)
    if not returns:
        return None
    return tuple(results) if len(returns) > 1 else results[0]


def _asked_by() -> str:
    """Return the line of gan-lab or of PyTorch's optimizers that asks for an operation."""
    for frame in reversed(traceback.extract_stack()):
        if any(part in frame.filename for part in OURS) and "/tests/" not in frame.filename:
            short = frame.filename.rpartition("/gan_lab/")[2].rpartition("site-packages/")[2]
            return f"{short}:{frame.lineno} {frame.line}"
    return "in a backward pass, or elsewhere"
