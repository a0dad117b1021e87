"""Where a network that somebody else wrote applies activation functions, seen in one forward pass.

A `TorchFunctionMode` sees every call of a torch function, whether a module, a function or a method made it.
What is written by hand (clamp, max, where), scripted or fused into a kernel is no such call, and is not seen.
"""

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

# Names of torch's functions and methods; those with an underscore at the end work in place.
SQUASHING = frozenset(("tanh", "sigmoid", "hardtanh", "hardsigmoid"))
# fmt: off
RECTIFIERS = frozenset((
    "relu", "relu6", "leaky_relu", "rrelu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish",
    "softplus", "hardswish", "softsign", "threshold", "hardshrink", "softshrink", "tanhshrink",
    "logsigmoid"
))
# fmt: on
KINDS = SQUASHING | RECTIFIERS
MODULE = "module"  # the kind of a module that its user calls an activation
COUNT = "-"  # before the number of a repeated call: no shell and no grammar of Hydra's wants quotes for it
# Behind one of these a number is no longer an activation's output.
# fmt: off
_LAYERS = frozenset((
    "linear", "bilinear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
    "conv_transpose3d", "matmul", "mm", "bmm", "__matmul__", "__rmatmul__", "addmm", "baddbmm",
    "addbmm", "einsum", "embedding", "batch_norm", "layer_norm", "group_norm", "instance_norm",
    "rms_norm", "scaled_dot_product_attention", "multi_head_attention_forward"
))
# fmt: on
# fmt: off
_RESHAPING = frozenset((
    "view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "ravel", "squeeze",
    "unsqueeze", "permute", "transpose", "movedim", "swapaxes", "contiguous", "clone", "float", "to",
    "type", "expand", "expand_as", "repeat", "interpolate"
))
# fmt: on
_PRODUCTS = frozenset(("mul", "mul_", "multiply", "__mul__", "__rmul__", "__imul__", "lerp", "addcmul"))
_BY_HAND = frozenset(("clamp", "clamp_", "clamp_min", "clamp_min_", "maximum", "where"))
_TORCH = str(Path(torch.__file__).parent)


@dataclass
class Call:
    """One call of an activation function in a forward pass.

    name: the module's path, with the function's name if the module is no activation itself, and a number from
    the second call on; kind: the function's name; path: of the innermost module; is_module: whether that
    module is one of `torch.nn`'s activations; in_place: whether it overwrites its input; shape: of the input;
    where: file and line of a function's call; arguments: beside the input, none if there are tensors among
    them, which may be parameters and change (has_tensors); role: hidden, output or gate; last:
    whether nothing but reshaping follows; gain: what its output is multiplied by; grad: whether gradients
    were on; action: swap, keep or strip.
    """

    name: str
    kind: str
    path: str
    is_module: bool
    in_place: bool
    shape: tuple[int, ...]
    where: str
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    has_tensors: bool = False
    role: str = "hidden"
    last: bool = False
    gain: float | None = None
    grad: bool = False
    action: str = "keep"

    @property
    def num_features(self) -> int:
        """How many channels or features the input has."""
        return self.shape[1] if len(self.shape) > 1 else self.shape[-1]


@dataclass
class Recording:
    """The calls of one forward pass in their order; by_hand: what may be an activation written by hand."""

    calls: list[Call]
    by_hand: list[str]
    result: Tensor


class NoActivationError(Exception):
    """A module that shall be an activation as a whole changes more than numbers, or is a layer of torch."""

    def __init__(self, path: str, module: nn.Module, why: str) -> None:
        super().__init__(f"names {path}, which is no activation: {type(module).__name__} {why}")


def kind_of(function: Callable[..., Any]) -> str | None:
    """Return the name of an activation function without the underscore, None for any other function."""
    name = getattr(function, "__name__", "").rstrip("_")
    return name if name in KINDS else None


def record(
    network: nn.Module,
    inputs: Tensor,
    arguments: Mapping[str, Any],
    select: Callable[[Any], Tensor],
    whole: Collection[str] = (),
) -> Recording:
    """Run a network once and list its activation calls with their roles; ``select`` picks the output.

    whole: paths of modules that are activations by themselves; what they call does not count.

    tanh and sigmoid are the output if no layer with weights and no normalization lies between them and the
    result, and a gate if another tensor is multiplied by them. Any other is the output only if it is last.
    """
    recorder = _Recorder(network, whole)
    with recorder.following_modules(), recorder:
        result = select(network(inputs, **arguments))
    recorder.settle_roles(result)
    _number_names(recorder.calls)
    return Recording(recorder.calls, recorder.by_hand, result)


class _Recorder(TorchFunctionMode):
    """Lists calls, and follows each activation's output until a layer takes it in."""

    def __init__(self, network: nn.Module, whole: Collection[str]) -> None:
        super().__init__()
        self._whole = {id(network.get_submodule(path)) for path in whole}
        for path in whole:
            module = network.get_submodule(path)
            home = type(module).__module__ if type(module) is not nn.Identity else ""
            if home.startswith("torch.nn.modules.") and not home.endswith((".activation", ".container")):
                raise NoActivationError(path, module, "is a layer of its own")
        self._inside = 0  # of how many modules that are activations by themselves
        self.calls: list[Call] = []
        self.by_hand: list[str] = []
        self._paths = {id(module): path for path, module in network.named_modules()}
        self._stack: list[nn.Module] = []
        self._reached: dict[int, frozenset[int]] = {}  # tensor -> calls with no layer in between
        self._direct: dict[int, int] = {}  # tensor -> the call that it is the output of, up to reshaping
        self._gates: set[int] = set()
        self._alive: list[Any] = []  # an id is a tensor's only while the tensor lives

    @contextmanager
    def following_modules(self) -> Iterator[None]:
        handles = (
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave),
        )
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._stack.append(module)
        self._inside += id(module) in self._whole

    def _leave(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self._stack.pop()
        if id(module) not in self._whole:
            return
        self._inside -= 1
        if self._inside == 0:
            path = self._paths[id(module)]
            if not (inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor)):
                raise NoActivationError(path, module, "takes or gives something else than one tensor")
            if output.shape != inputs[0].shape:
                made, taken = (" x ".join(map(str, t.shape[1:])) for t in (output, inputs[0]))
                raise NoActivationError(path, module, f"makes {made} of {taken}")
            call = Call(path, MODULE, path, True, output is inputs[0], tuple(inputs[0].shape), "")
            call.grad = torch.is_grad_enabled()
            self.calls.append(call)
            self._follow("", MODULE, [inputs[0]], output)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name, kind = getattr(func, "__name__", ""), None if self._inside else kind_of(func)
        x = args[0] if args else kwargs.get("input")
        shape = tuple(x.shape) if isinstance(x, Tensor) else ()
        output = func(*args, **kwargs)
        inputs = [t for t in _flat((*args, *kwargs.values())) if isinstance(t, Tensor)]
        if kind is not None:
            self._add(kind, args, kwargs, shape, output is x)
        elif not self._inside and (name in _BY_HAND or (name == "max" and len(inputs) == 2)):
            self.by_hand.append(f"{name} at {_where()}")
        if name in _PRODUCTS:
            self._see_product(args, kwargs)
        for tensor in _flat((output,)):
            if isinstance(tensor, Tensor):
                self._follow(name, kind, inputs, tensor)
        return output

    def _add(
        self, kind: str, args: tuple[Any, ...], kwargs: dict[str, Any], shape: tuple[int, ...], in_place: bool
    ) -> None:
        known = [module for module in self._stack if id(module) in self._paths]
        module = known[-1]
        path = self._paths[id(module)]
        is_module = module is self._stack[-1] and type(module).__module__ == "torch.nn.modules.activation"
        name = path if is_module else f"{path}.{kind}".lstrip(".")
        where = "" if is_module else _where()
        beside = out_of_place(args[1:], kwargs, in_place)
        call = Call(name, kind, path, is_module, in_place, shape, where, beside)
        if any(isinstance(value, Tensor) for value in (*beside[0], *beside[1].values())):
            call.arguments, call.has_tensors = ((), {}), True
        call.grad = torch.is_grad_enabled()
        self.calls.append(call)

    def _follow(self, name: str, kind: str | None, inputs: list[Tensor], output: Tensor) -> None:
        self._alive.append(output)
        key = id(output)
        if kind is not None:
            number = len(self.calls) - 1
            before = self._reached.get(id(inputs[0]), frozenset()) if inputs else frozenset()
            self._reached[key] = before | {number}
            self._direct[key] = number
            return
        reached = frozenset[int]().union(*(self._reached.get(id(t), frozenset()) for t in inputs))
        self._reached[key] = frozenset() if name in _LAYERS else reached
        direct = self._direct.get(id(inputs[0])) if inputs and name in _RESHAPING else None
        if direct is not None:
            self._direct[key] = direct
        elif output is not (inputs[0] if inputs else None) or name not in ("__get__", "requires_grad_"):
            self._direct.pop(key, None)

    def _see_product(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        factors = [*args, *kwargs.values()]
        for factor in factors:
            number = self._direct.get(id(factor)) if isinstance(factor, Tensor) else None
            if number is None:
                continue
            others = [other for other in factors if other is not factor]
            if any(map(_is_data, others)):
                self._gates.add(number)
            elif others and isinstance(others[0], int | float):
                self.calls[number].gain = float(others[0])

    def settle_roles(self, result: Tensor) -> None:
        direct = self._direct.get(id(result))
        for number, call in enumerate(self.calls):
            call.last = number == direct
            if call.kind in SQUASHING and number in self._gates:
                call.role = "gate"
            elif call.last or (
                call.kind in SQUASHING and number in self._reached.get(id(result), frozenset())
            ):
                call.role = "output"


def out_of_place(
    args: tuple[Any, ...], kwargs: dict[str, Any], in_place: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments beside the input without the request to overwrite it, which is always the last one."""
    if in_place and args and args[-1] is True:
        args = args[:-1]
    return args, {key: value for key, value in kwargs.items() if key not in ("inplace", "input")}


def _is_data(value: Any) -> bool:
    """Whether a factor is a tensor of numbers that nobody learns, such as a network's input."""
    return isinstance(value, Tensor) and value.numel() > 1 and not isinstance(value, nn.Parameter)


def _number_names(calls: list[Call]) -> None:
    counts: dict[str, int] = {}
    for call in calls:
        counts[call.name] = counts.get(call.name, 0) + 1
        if counts[call.name] > 1:
            call.name = f"{call.name}{COUNT}{counts[call.name]}"


def _where() -> str:
    """File and line of the nearest caller outside torch and this file."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_TORCH, __file__)):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value
