"""Units of hidden activations: dead, dormant, saturated, and where their inputs lie."""

import torch
from torch import Tensor

from gan_lab.evaluation.diagnostics.records import (
    ActivationRecord,
    ProbedNetwork,
    ProbeResult,
    TensorDiagnostic,
)
from gan_lab.utils.checks import check_number

EPS = 1e-9
_SHARES = ("dead", "dormant", "dormant_original", "saturated")


class UnitHealth(TensorDiagnostic):
    """Of every hidden activation f with inputs a, whose units are neurons or feature maps.

    dead: share of units with max |f'(a)| < ``dead_below`` over the whole probe, so that no gradient passes.
    For ReLU these are the dead units of the literature; through f' it holds for every activation (ours).
    dormant: share of units with s <= ``tau``, s = E|h - E h| / mean over units of the same, h = f(a): the
    mean-subtracted score of Sokar et al. (2023, arXiv:2302.12902). dormant_original: with E|h| instead, as
    their paper has it; made for ReLU, it takes any unit that is stuck far from 0 for awake.
    saturated: share of (unit, sample) with |f'(a)| < ``saturated_below`` max |f'|, the maximum of the
    function itself (ours; Glorot and Bengio 2010 show the same as histograms). ReLU has half by construction.
    mean, spread: of a, its standard deviation over everything. slope: mean of what f learns (PReLU, snake).
    """

    def __init__(self, tau: float = 0.025, dead_below: float = 1e-3, saturated_below: float = 0.05) -> None:
        self.tau = check_number("diagnostic.units.tau", tau, at_least=0, below=1)
        self.dead_below = check_number("diagnostic.units.dead_below", dead_below, at_least=0, below=1)
        self.saturated_below = check_number(
            "diagnostic.units.saturated_below", saturated_below, at_least=0, below=1
        )

    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        scalars: dict[str, Tensor] = {}
        for player, network in probed.players.items():
            scalars |= self._network(f"diagnostics/{player}", network)
        return scalars

    def _network(self, tag: str, network: ProbedNetwork) -> dict[str, Tensor]:
        if not network.activations:  # a maxout network, say
            return {}
        scalars: dict[str, Tensor] = {}
        shares = []
        for record in network.activations:
            of_units, numbers = self._activation(record)
            shares.append(of_units)
            health = _named(of_units) | numbers
            scalars |= {f"{tag}/{record.name}/{name}": value for name, value in health.items()}
        together = _named(torch.cat(shares, dim=1))
        return scalars | {f"{tag}/{name}": value for name, value in together.items()}

    def _activation(self, record: ActivationRecord) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the shares (4, C) of each unit, 0 or 1 but for saturated, and numbers of all together."""
        slopes, h = _by_unit(record.derivatives().abs()), _by_unit(record.outputs())
        spread = (h - h.mean(dim=1, keepdim=True)).abs().mean(dim=1)
        saturated = (slopes < self.saturated_below * record.max_derivative()).float().mean(dim=1)
        dead = slopes.amax(dim=1) < self.dead_below
        shares = torch.stack([dead, self._dormant(spread), self._dormant(h.abs().mean(dim=1)), saturated])
        numbers = {"mean": record.inputs.mean(), "spread": record.inputs.std(correction=0)}
        learned = [parameter.float().mean() for parameter in record.learned()]
        if learned:
            numbers["slope"] = torch.stack(learned).mean()
        return shares, numbers

    def _dormant(self, activity: Tensor) -> Tensor:
        return activity / (activity.mean() + EPS) <= self.tau


def _named(shares: Tensor) -> dict[str, Tensor]:
    """Average shares (4, C) over units."""
    return dict(zip(_SHARES, shares.mean(dim=1).unbind(), strict=True))


def _by_unit(values: Tensor) -> Tensor:
    """Put units first: (N, C, ...) -> (C, N * ...)."""
    return values.transpose(0, 1).flatten(1)
