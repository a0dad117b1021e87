"""Classes and data that are handed over instead of names of entries."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.utils import get_object

from gan_lab.config.errors import groups
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.text import truncate

_NETWORKS = ("generator", "discriminator")


@contextmanager
def entries_of(choices: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield choices in which all objects are names of entries, which Hydra knows inside.

    ``activation`` and its kin take classes, or ``functools.partial(Class, slope=2)``; ``generator`` and
    ``discriminator`` together are the model; ``dataset`` takes images, see `gan_lab.datasets.in_memory`. A
    run's identity has the import path of a class and the digest of data. Raises ConfigurationError for a
    class that another process could not import.
    """
    stored: list[tuple[str, str]] = []

    def store(group: str, name: str, node: dict[str, Any]) -> str:
        ConfigStore.instance().store(group=group, name=name, node=node, provider="gan-lab")
        stored.append((group, f"{name}.yaml"))
        return name

    def named(key: str, value: Any) -> Any:
        group = groups().get(key, key).partition("@")[0]
        if isinstance(value, list):
            refuse_list_of_images(key, value)
            return [named(key, one) for one in value]
        if group == "dataset" and not isinstance(value, (str, type(None))):
            from gan_lab.datasets.in_memory import keep

            digest = keep(value)
            node = {"_target_": "gan_lab.datasets.load_handed_over", "name": "handed_over", "digest": digest}
            return store(group, f"handed_over-{digest[:8]}", node)
        if group == "activation" and callable(value):
            node = _node(key, value)
            return store(group, _name(node), node)
        return value

    replaced = dict(choices)
    try:
        if any(callable(replaced.get(player)) for player in _NETWORKS):
            nodes = {player: _node(player, replaced.pop(player, None)) for player in _NETWORKS}
            model = {"defaults": ["own", "_self_"], **{p: {"network": node} for p, node in nodes.items()}}
            replaced["model"] = store("model", "-".join(map(_name, nodes.values())), model)
        yield {key: named(key, value) for key, value in replaced.items()}
    finally:
        for group, name in stored:
            ConfigStore.instance().repo[group].pop(name, None)


def refuse_list_of_images(key: str, value: Any) -> None:
    """Raise ConfigurationError for images one by one, of which each would be a data set of its own."""
    if isinstance(value, list) and key == "dataset" and value and all(_is_image(one) for one in value):
        shape = tuple(value[0].shape)
        raise ConfigurationError(
            f"dataset must be one tensor or array (N, C, H, W), such as torch.stack(images), got a list of "
            f"{len(value)} images of shape {shape}: a list has several data sets"
        )


def _is_image(value: Any) -> bool:
    """Whether it has the shape (H, W), (C, H, W) or (H, W, C), and not that of several gray images."""
    shape = tuple(getattr(value, "shape", ()))
    return len(shape) == 2 or (len(shape) == 3 and not {1, 3}.isdisjoint(shape[::2]))


def _node(key: str, value: Any) -> dict[str, Any]:
    """Return the ``_target_`` of a class and its arguments."""
    made, arguments = (value.func, value.keywords) if isinstance(value, partial) else (value, {})
    if not isinstance(made, type) or (isinstance(value, partial) and value.args):
        raise ConfigurationError(
            f"{key} must be a class, or functools.partial of one with keywords, got "
            f"{truncate(repr(value), 80)}"
        )
    path = f"{made.__module__}.{made.__qualname__}"
    try:
        importable = made.__module__ != "__main__" and get_object(path) is made
    except Exception:
        importable = False
    if not importable:
        raise ConfigurationError(
            f"{key}: {path} cannot be imported by another process: move the class to a module of its own, a "
            "file such as my_module.py"
        )
    return {"_target_": path, **arguments}


def _name(node: Mapping[str, Any]) -> str:
    arguments = {key: value for key, value in node.items() if key != "_target_"}
    if not arguments:
        return str(node["_target_"])
    digest = hashlib.sha256(json.dumps(arguments, sort_keys=True, default=repr).encode()).hexdigest()
    return f"{node['_target_']}-{digest[:6]}"
