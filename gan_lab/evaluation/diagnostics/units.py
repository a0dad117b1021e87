"""Units of hidden activations: dead, dormant, saturated, and where their inputs lie."""

import math
from copy import deepcopy

import torch
from torch import Tensor, nn

from gan_lab.evaluation.diagnostics.probe import ActivationRecord, Diagnostic, ProbedNetwork, ProbeResult
from gan_lab.utils.checks import check_number

EPS = 1e-9


class UnitHealth(Diagnostic):
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

    def __call__(self, probed: ProbeResult) -> dict[str, float]:
        scalars: dict[str, float] = {}
        for player, network in probed.players.items():
            scalars |= self._network(f"diagnostics/{player}", network)
        return scalars

    def _network(self, tag: str, network: ProbedNetwork) -> dict[str, float]:
        scalars: dict[str, float] = {}
        sums: dict[str, float] = {}
        units = 0
        if not network.activations:  # a maxout network, say
            return {}
        looked = [self._activation(record) for record in network.activations]
        # One look at the device for all of them: each waits for it.
        values = iter(torch.stack([n.float() for numbers, _ in looked for n in numbers.values()]).tolist())
        for record, (numbers, width) in zip(network.activations, looked, strict=True):
            health = {name: next(values) for name in numbers}
            scalars |= {f"{tag}/{record.name}/{name}": value for name, value in health.items()}
            units += width
            for name in ("dead", "dormant", "dormant_original", "saturated"):
                sums[name] = sums.get(name, 0.0) + width * health[name]
        return scalars | {f"{tag}/{name}": total / units for name, total in sums.items()}

    def _activation(self, record: ActivationRecord) -> tuple[dict[str, Tensor], int]:
        """Return the scalars of one activation, on its device, and how many units it has."""
        slopes, h = _by_unit(record.derivatives().abs()), _by_unit(record.outputs())
        spread = (h - h.mean(dim=1, keepdim=True)).abs().mean(dim=1)
        largest = max_derivative(record.module, len(h))
        numbers = {
            "dead": (slopes.amax(dim=1) < self.dead_below).float().mean(),
            "dormant": self._dormant(spread),
            "dormant_original": self._dormant(h.abs().mean(dim=1)),
            "saturated": (slopes < self.saturated_below * largest).float().mean(),
            "mean": record.inputs.mean(),
            "spread": record.inputs.std(correction=0),
        }
        learned = [p.detach().float().mean() for p in record.module.parameters()]
        if learned:
            numbers["slope"] = torch.stack(learned).mean()
        return numbers, len(h)

    def _dormant(self, activity: Tensor) -> Tensor:
        return (activity / (activity.mean() + EPS) <= self.tau).float().mean()


def max_derivative(activation: nn.Module, width: int = 1) -> float:
    """Return max |f'| over [-20, 20], in double precision, of a function that works element by element.

    width: of units, for a function that has a parameter for each of them.
    """
    x = torch.linspace(-20, 20, 4001, dtype=torch.float64, requires_grad=True)
    if any(width == parameter.numel() > 1 for parameter in activation.parameters()):
        x = x.detach()[:, None].expand(-1, width).requires_grad_()
    with torch.enable_grad():
        (slopes,) = torch.autograd.grad(deepcopy(activation).cpu().double()(x).sum(), x)
    largest = float(slopes.abs().max())
    return largest if math.isfinite(largest) else math.nan


def _by_unit(values: Tensor) -> Tensor:
    """Put units first: (N, C, ...) -> (C, N * ...)."""
    return values.transpose(0, 1).flatten(1)
