"""How gradients pass through both networks, and what reaches the generator."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gan_lab.evaluation.diagnostics.probe import Diagnostic, ProbedNetwork, ProbeResult

ROWS = 256


class GradientNorms(Diagnostic):
    """Of every weight layer, the Frobenius norm of its player's loss gradient, alone and over the weight's.

    gradient_ratio: that of the first layer over that of the last, both relative to their weights
    (Glorot and Bengio 2010 compare layers so): far below 1 gradients vanish, far above they explode; worth a
    warning below 1e-3 and above 1e3. non_finite: how many numbers among inputs of activations and gradients
    are not finite; counted, never replaced.
    """

    def __call__(self, probed: ProbeResult) -> dict[str, float]:
        scalars: dict[str, float] = {}
        for player, network in probed.players.items():
            scalars |= self._network(f"diagnostics/{player}", network)
        return scalars

    def _network(self, tag: str, network: ProbedNetwork) -> dict[str, float]:
        names = [layer.name for layer in network.layers]
        # One look at the device for both: each waits for it.
        both = _norms(
            [layer.gradient for layer in network.layers] + [layer.weight for layer in network.layers]
        )
        norms, weights = both[: len(names)], both[len(names) :]
        relative = [g / w if w else math.nan for g, w in zip(norms, weights, strict=True)]
        scalars = {f"{tag}/{name}/gradient": norm for name, norm in zip(names, norms, strict=True)}
        scalars |= {f"{tag}/{name}/gradient_relative": r for name, r in zip(names, relative, strict=True)}
        tensors = [
            *(record.inputs for record in network.activations),
            *(layer.gradient for layer in network.layers),
        ]
        non_finite = torch.stack([(~tensor.isfinite()).sum() for tensor in tensors]).sum()
        return scalars | {
            f"{tag}/gradient_ratio": relative[0] / relative[-1] if relative[-1] else math.nan,
            f"{tag}/non_finite": float(non_finite),
        }


class DataGradient(Diagnostic):
    """E ||grad_x D(x)||₂ at real and at generated samples: the steepness that R1, R2 and penalties bound.

    Mescheder et al. (2018), arXiv:1801.04406; Gulrajani et al. (2017), arXiv:1704.00028.
    """

    def __call__(self, probed: ProbeResult) -> dict[str, float]:
        both = (probed.real_gradients, probed.fake_gradients)
        real, fake = torch.stack([g.flatten(1).norm(dim=1).mean() for g in both]).tolist()
        return {"diagnostics/pair/data_gradient": real, "diagnostics/pair/fake_gradient": fake}


class EffectiveRank(Diagnostic):
    """exp(-sum p ln p) of the last hidden layer, p = sigma / sum sigma (Roy and Vetterli 2007).

    sigma: singular values of its centered outputs, one row a sample; uncentered, the mean of a positive
    activation would drown everything else. At most ``ROWS`` samples, evenly spaced: this is what costs.
    """

    def __call__(self, probed: ProbeResult) -> dict[str, float]:
        return {
            f"diagnostics/{player}/effective_rank": effective_rank(network.activations[-1].outputs())
            for player, network in probed.players.items()
            if network.activations
        }


def effective_rank(features: Tensor) -> float:
    """(N, ...) -> a number from 1 to min(N - 1, d); NaN where features are not finite or all the same.

    Through the smaller Gram matrix in double precision: far cheaper than a decomposition of N x (C H W).
    """
    rows = features[:: math.ceil(len(features) / ROWS)].flatten(1).cpu().double()
    rows = rows - rows.mean(dim=0)
    gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    if not gram.isfinite().all():
        return math.nan
    sigma = torch.linalg.eigvalsh(gram).clamp_min(0).sqrt()
    # What rounding leaves of the zero eigenvalues would otherwise count as directions.
    sigma = sigma[sigma > sigma.max() * 1e-7]
    p = sigma / sigma.sum()
    return float(torch.exp(-torch.xlogy(p, p).sum())) if len(p) else math.nan


def _norms(tensors: Sequence[Tensor]) -> list[float]:
    norms: list[float] = torch.stack([t.float().norm() for t in tensors]).tolist()
    return norms
