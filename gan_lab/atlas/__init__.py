"""The atlas of activations: what each is as a function, and what it costs; `picture` draws the numbers."""

from dataclasses import dataclass
from typing import Any

import torch

from gan_lab.atlas.bounds import Bounds
from gan_lab.atlas.choices import Choice, Request, choose, hidden, known, parse
from gan_lab.atlas.cost import Cost, elements, measure
from gan_lab.atlas.facts import Facts, facts

__all__ = [
    "Bounds",
    "Choice",
    "Cost",
    "Entry",
    "Facts",
    "Request",
    "choose",
    "elements",
    "facts",
    "hidden",
    "known",
    "look_up",
    "measure",
    "parse",
]


@dataclass(frozen=True)
class Entry:
    """A row of the atlas; ``module`` is how it prints, ``cost`` is None where it was not asked for."""

    name: str
    formula: str | None
    module: str
    settings: dict[str, Any]
    facts: Facts
    cost: Cost | None


def look_up(choice: Choice, device: torch.device | None) -> Entry:
    """Compute one row; ``device`` is where its cost is measured, None for not at all."""
    cost = None if device is None else measure(choice.module, device)
    module = " ".join(repr(choice.module).split())
    return Entry(choice.request.label, choice.formula, module, choice.settings, facts(choice.module), cost)
