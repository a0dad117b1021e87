"""What an optimizer remembers, out of it and into another one, for one seed or for all seeds stacked.

It remembers something of each parameter (``state``), of each group of parameters (a learning rate that it
changes), and whatever its class keeps beside them: counts, averages, a schedule. All of it is copied as plain
values, so that a checkpoint holds no code. What cannot be copied so, such as a function, stays as the
optimizer's constructor makes it; `gan_lab.training.rehearsal` finds out whether that matters.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

STEP = "step"  # torch.optim's name for a count that its optimizers read in Python

ParamState = dict[str, dict[str, Any]]
Settings = dict[str, Any]
_OMITTED = object()
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


def param_state(optimizer: Optimizer, params: Mapping[str, Tensor]) -> ParamState:
    """Map parameter names to copies of what the optimizer remembers of them; empty before its first step."""
    return {name: copy_plain(optimizer.state[p]) for name, p in params.items() if p in optimizer.state}


def settings(optimizer: Optimizer) -> Settings:
    """Copy what an optimizer remembers beside its parameters' state."""
    saved: Settings = {
        "param_groups": [
            copy_plain({key: value for key, value in group.items() if key != "params"})
            for group in optimizer.param_groups
        ],
        "attributes": copy_plain(_attributes(optimizer)),
        "state": copy_plain({key: v for key, v in optimizer.state.items() if not isinstance(key, Tensor)}),
    }
    if type(optimizer).state_dict is not Optimizer.state_dict:
        content = optimizer.state_dict()
        saved["state_dict"] = copy_plain({k: content[k] for k in content.keys() - {"state", "param_groups"}})
    return saved


def load_settings(optimizer: Optimizer, saved: Settings) -> None:
    """Put a copy of what `settings` returned into an optimizer that was made in the same way."""
    device = optimizer.param_groups[0]["params"][0].device
    if saved.get("state_dict"):
        optimizer.load_state_dict({**optimizer.state_dict(), **copy_plain(saved["state_dict"])})
    attributes = vars(optimizer)
    for name, value in saved["attributes"].items():
        attributes[name] = _restored(attributes.get(name), value, device)
    # After the attributes: a schedule that is loaded may write learning rates.
    for group, values in zip(optimizer.param_groups, saved["param_groups"], strict=True):
        for key, value in values.items():
            if key != "capturable":  # which says how this run executes its steps
                group[key] = _restored(group.get(key), value, device)
    for key, value in saved["state"].items():
        optimizer.state[key] = _restored(None, value, device)


def load_param_state(
    optimizer: Optimizer, params: Mapping[str, Tensor], seeds: Sequence[ParamState], *, stacked: bool
) -> None:
    """Put what `param_state` returned for each seed into an optimizer of ``params``.

    stacked: parameters have a leading dimension, a slice per seed; else there is one seed.
    """
    shapes = {name: param.shape[1:] if stacked else param.shape for name, param in params.items()}
    shared = _shared_keys(seeds[0], shapes)
    for name, param in params.items():
        for key in seeds[0].get(name, {}):
            values = [state[name][key] for state in seeds]
            per_seed = stacked and key not in shared
            joined = _stack(values, shapes[name]) if per_seed else values[0]

            def placed(tensor: Tensor, param: Tensor = param, key: str = key) -> Tensor:
                return _place(optimizer, param, key, tensor)

            optimizer.state[param][key] = map_tensors(placed, joined)


def seed_part(
    values: Mapping[str, Any], shape: torch.Size, take: Callable[[Tensor], Tensor]
) -> dict[str, Any]:
    """Return one seed's part of what an optimizer remembers of a parameter of this shape.

    What has the parameter's shape is per seed, and ``take`` takes the part; counts are shared.
    """
    part: dict[str, Any] = map_tensors(
        lambda tensor: take(tensor) if tensor.shape == shape else tensor, dict(values)
    )
    return part


def map_tensors(function: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Apply ``function`` to every tensor in nested dictionaries, lists and tuples."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, dict):
        mapped = {key: map_tensors(function, item) for key, item in value.items()}
        return type(value)(mapped) if type(value) in (OrderedDict, Counter) else mapped
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(function, item) for item in value)
    return value


def copy_plain(value: Any) -> Any:
    """Copy numbers, strings, tensors, containers of them, and the state of objects that have one.

    Items of dictionaries that are none of these are left out.
    """
    copied = _copy(value)
    return {} if copied is _OMITTED else copied


def _copy(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Tensor):
        # A parameter is no state: it is trained, and a copy would be another one.
        return _OMITTED if isinstance(value, nn.Parameter) or value.requires_grad else value.detach().clone()
    if isinstance(value, torch.Generator):
        return value.get_state()
    if isinstance(value, dict):
        items = {k: _copy(v) for k, v in value.items() if type(k) in _PLAIN}
        items = {key: item for key, item in items.items() if item is not _OMITTED}
        return type(value)(items) if type(value) in (OrderedDict, Counter) else items
    if type(value) in (list, tuple, deque, set):
        copies = [_copy(item) for item in value]
        if any(item is _OMITTED for item in copies):
            return _OMITTED
        return tuple(copies) if isinstance(value, tuple) else copies
    if _has_state(value):
        return _copy(value.state_dict())
    return _OMITTED


def _restored(current: Any, saved: Any, device: torch.device) -> Any:
    """Return what ``current`` of a new optimizer becomes when ``saved`` is loaded, a copy of the same value.

    device: where tensors go that a new optimizer does not have yet.
    """
    if isinstance(current, torch.Generator):
        return current.set_state(saved)
    if isinstance(current, Tensor) and isinstance(saved, Tensor):
        return saved.to(current.device, copy=True)
    if _has_state(current):
        current.load_state_dict(copy_plain(saved))
        return current
    if isinstance(current, dict) and isinstance(saved, dict):
        restored = {key: _restored(current.get(key), value, device) for key, value in saved.items()}
        for key in [key for key, value in current.items() if _copy(value) is not _OMITTED]:
            del current[key]
        current.update(restored)
        return current
    if type(current) is type(saved) is list and len(current) == len(saved):
        return [_restored(ours, theirs, device) for ours, theirs in zip(current, saved, strict=True)]
    if isinstance(current, deque):
        return deque(map_tensors(lambda tensor: tensor.to(device, copy=True), saved), current.maxlen)
    if isinstance(current, set):
        return set(saved)
    return map_tensors(lambda tensor: tensor.to(device, copy=True), saved)


def _has_state(value: Any) -> bool:
    """Whether an object says what it remembers, as a learning rate schedule does."""
    methods = (getattr(value, name, None) for name in ("state_dict", "load_state_dict"))
    return all(map(callable, methods)) and not isinstance(value, (nn.Module, type))


def _attributes(optimizer: Optimizer) -> dict[str, Any]:
    """What an optimizer's class keeps beside what every optimizer has."""
    return {
        name: value
        for name, value in vars(optimizer).items()
        if name not in _base_attributes() and value is not optimizer
    }


@cache
def _base_attributes() -> frozenset[str]:
    return frozenset(vars(Optimizer([torch.zeros(1)], {})))


def _shared_keys(state: ParamState, shapes: Mapping[str, torch.Size]) -> set[str]:
    """Keys, such as counts, whose tensors all seeds share: not all have the shape of their parameter."""
    return {
        key
        for name, values in state.items()
        if name in shapes
        for key, value in values.items()
        if isinstance(value, Tensor) and value.shape != shapes[name]
    }


def _stack(values: Sequence[Any], shape: torch.Size) -> Any:
    """Stack the tensors of this shape in nested values, one per seed; other values are the first seed's."""
    first = values[0]
    if isinstance(first, Tensor):
        return torch.stack(list(values)) if first.shape == shape else first
    if isinstance(first, dict):
        return {key: _stack([value[key] for value in values], shape) for key in first}
    if isinstance(first, (list, tuple)):
        return type(first)(_stack(items, shape) for items in zip(*values, strict=True))
    return first


def _place(optimizer: Optimizer, param: Tensor, key: str, value: Tensor) -> Tensor:
    """Copy ``value`` to where the optimizer keeps it: on the parameter's device and in its memory layout.

    Step counts stay on the CPU, unless the optimizer reads them in a kernel: reading them from a device
    waits for it at every step.
    """
    on_device = any(group.get("fused") or group.get("capturable") for group in optimizer.param_groups)
    if key == STEP and not on_device:
        return value.clone()
    if value.shape == param.shape:
        return torch.empty_like(param, dtype=value.dtype, requires_grad=False).copy_(value)
    return value.to(param.device, copy=True)
