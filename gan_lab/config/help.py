"""``gan-lab train --help``: groups and keys with their comments, as the YAML has them. Imports no torch."""

import itertools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gan_lab.config.aliases import entries, entry_called
from gan_lab.config.errors import groups
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir
from gan_lab.utils.tables import format_table

WIDTH = 80
_USAGE = """\
gan-lab train: train a GAN, and see what its activation function does.
  gan-lab train activation=elu seeds=8             one run, eight seeds
  gan-lab train -m activation=relu,leaky_relu,elu  a sweep
  gan-lab train experiment=activations_on_digits   a whole study
  gan-lab train --config-dir mine activation=own   mine/activation/own.yaml"""
_FOOTER = """\
--help NAME explains a group or a key and lists its choices: --help activation
--cfg job --resolve shows the composed configuration, --hydra-help Hydra's flags"""


class _Line(NamedTuple):
    """A key of a YAML file, how deep it is indented, its value as it stands there, and its comment."""

    key: str
    depth: int
    value: str
    comment: str


def overview() -> str:
    """Return what fits two screens of 80 x 24: usage, groups and keys, one line each."""
    chosen, keys = _train_yaml()
    rows = [(line.key, line.value, line.comment) for line in chosen if "@" not in line.key]
    top: list[str] = []
    nested: dict[str, list[str]] = {}
    for line in keys:
        if line.depth:
            nested.setdefault(top[-1], []).append(line.key)
        else:
            top.append(line.key)
    values = {line.key: line for line in keys if not line.depth}
    lines = [_USAGE, "", "Groups, as group=choice:", *_aligned(rows), "", "Keys, as key=value:"]
    lines += _aligned([(key, values[key].value, values[key].comment) for key in top if key not in nested])
    inside = " ".join(f"{key}.{name}" for key, names in nested.items() for name in names)
    lines += textwrap.wrap(inside, WIDTH, initial_indent="  ", subsequent_indent="  ")
    return "\n".join([*lines, _FOOTER])


def explain(name: str, folders: Sequence[Path] = ()) -> str:
    """Return a group's choices, or the comments of a key; raises ConfigurationError for any other name."""
    chosen, keys = _train_yaml()
    group = name.partition("@")[0]
    if group in groups() or group == "hydra/launcher":
        about = [line for line in chosen if line.key == name] or [
            line for line in chosen if line.key == group
        ]
        head = [
            *(_paragraph(f"{name}: {about[0].comment}; default {about[0].value}") if about else [name]),
            "",
        ]
        return "\n".join(
            [
                *head,
                *(
                    line
                    for entry in sorted(entries(group, folders))
                    for line in _entry(group, entry, folders)
                ),
            ]
        )
    root, _, inner = name.partition(".")
    start = next((at for at, line in enumerate(keys) if line.key == root and not line.depth), None)
    if start is None:
        homes = [
            key for key, option in groups().items() if key == option and entry_called(key, name, folders)
        ]
        if homes:
            return "\n".join(_entry(homes[0], entry_called(homes[0], name, folders) or name, folders))
        allowed = [
            *(key for key, option in groups().items() if key == option),
            *(line.key for line in keys if not line.depth),
        ]
        raise ConfigurationError(f"--help {name}: choose from {', '.join(allowed)}")
    inside = itertools.takewhile(lambda line: line.depth, keys[start + 1 :])
    about = [keys[start], *(line for line in inside if not inner or line.key == inner)]
    return "\n".join(line for one in about for line in _explained(one, root))


def _explained(line: _Line, root: str) -> list[str]:
    key = f"{root}.{line.key}" if line.depth else line.key
    return [f"{key}={line.value}" if line.value else key, *_paragraph(line.comment, "    ")]


def _entry(group: str, entry: str, folders: Sequence[Path]) -> list[str]:
    """Return an entry of a group, what is said of it at the head of its file, and its keys."""
    [path, *_] = [p for root in (config_dir(), *folders) if (p := root / group / f"{entry}.yaml").is_file()]
    text = path.read_text(encoding="utf-8")
    head = re.match(r"(#[^\n]*\n)*", text)
    said = [line.lstrip("# ") for line in (head[0] if head else "").splitlines() if "@package" not in line]
    formulas = sum(line.startswith("f(x)") for line in said[:1])
    keys = [
        line
        for line in map(_parsed, text.splitlines())
        if line and not line.key.startswith(("_", "defaults"))
    ]
    lines = [f"{group}={entry}", *(f"    {line}" for line in said[:formulas])]
    lines += _paragraph(" ".join(said[formulas:]), "    ")
    if group != "experiment":
        lines += [f"    {group}.{line.key}={line.value}" for line in keys if not line.depth and line.value]
    return lines


def _aligned(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    """Return key, value and comment per line, the comment cut at a word where the line is full."""
    starts = format_table([(key, value if len(value) < 20 else "...") for key, value, _ in rows], left=(0, 1))
    column = max(map(len, starts)) + 4
    return [
        f"  {start}".ljust(column) + textwrap.shorten(comment, WIDTH - column, placeholder=" ...")
        for start, (_, _, comment) in zip(starts, rows, strict=True)
    ]


def _paragraph(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _train_yaml() -> tuple[list[_Line], list[_Line]]:
    """Return the defaults list, and the keys of a run with their comments, as train.yaml has them."""
    chosen, keys = [], []
    for text in (config_dir() / "train.yaml").read_text(encoding="utf-8").splitlines():
        default = re.match(r"  - (?:override )?([\w@/]+): (.*?)(?: # (.*))?$", text)
        if default and default[1] not in ("hydra/sweeper", "hydra/job_logging"):
            chosen.append(_Line(default[1], 0, default[2], default[3] or ""))
        elif text.startswith("hydra:"):
            break
        elif (line := _parsed(text)) is not None and line.key != "defaults":
            keys.append(line)
    return chosen, keys


def _parsed(text: str) -> _Line | None:
    match = re.match(r"(?P<indent> *)(?P<key>\w+):(?: (?P<value>[^#]*?))?(?:\s*# (?P<comment>.*))?$", text)
    if match is None:
        return None
    return _Line(match["key"], len(match["indent"]), match["value"] or "", match["comment"] or "")
