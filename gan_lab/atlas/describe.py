"""One row of the atlas: the facts of an activation, and what it costs."""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from gan_lab.atlas.choices import ActivationSpec
from gan_lab.atlas.cost import Cost, measure
from gan_lab.atlas.declared import declared_facts
from gan_lab.atlas.facts import Facts
from gan_lab.atlas.sampled import Samples, UndeterminedError


@dataclass(frozen=True)
class Description:
    """A row of the atlas; ``module`` is how it prints, ``cost`` is None if it was not asked for."""

    name: str
    formula: str | None
    module: str
    settings: dict[str, Any]
    facts: Facts
    cost: Cost | None

    @property
    def notes(self) -> list[str]:
        return [*self.facts.notes, *([self.cost.note] if self.cost and self.cost.note else [])]


def describe(spec: ActivationSpec, device: torch.device | None) -> Description:
    """Compute one row; ``device`` is where its cost is measured, None for not at all."""
    cost = None if device is None else measure(spec.module, device)
    module = " ".join(repr(spec.module).split())
    return Description(spec.query.label, spec.formula, module, spec.settings, find_facts(spec.module), cost)


def find_facts(activation: nn.Module) -> Facts:
    """Return what is declared, or else observed; never raises for what a module does: that is a note."""
    learned = sum(p.numel() for p in activation.parameters() if p.requires_grad)
    try:
        samples = Samples(activation)
    except UndeterminedError as why:
        return Facts(parameters=learned, notes=(str(why),))
    facts = declared_facts(activation) or samples.observed_facts()
    notes = [] if _same_in_training(activation) else ["random in training; this is its evaluation mode"]
    if facts.jumps:
        at = ", ".join(f"{x:.3g}" for x in facts.jumps)
        notes.append(f"jumps at {'many places' if len(facts.jumps) > 4 else f'x = {at}'}")
    if samples.no_slopes:
        notes.append(f"derivative: {samples.no_slopes}")
    return replace(
        samples.with_moments(facts),
        parameters=learned,
        notes=tuple(notes),
        curves=samples.curves(facts.jumps or (), facts.kinks or ()),
    )


def _same_in_training(activation: nn.Module) -> bool:
    x, trained = torch.linspace(-3, 3, 64), deepcopy(activation).cpu().train()
    with torch.no_grad():
        return torch.equal(trained(x.clone()), trained(x.clone()))
