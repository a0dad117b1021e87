"""How gradients pass through both networks, and what reaches the generator."""

import math

import torch
from torch import Tensor

from gan_lab.evaluation.diagnostics.records import ProbedNetwork, ProbeResult, TensorDiagnostic

ROWS = 256


class GradientNorms(TensorDiagnostic):
    """Of every weight layer, the Frobenius norm of its player's loss gradient, alone and over the weight's.

    gradient_ratio: that of the first layer over that of the last, both relative to their weights
    (Glorot and Bengio 2010 compare layers so): far below 1 gradients vanish, far above they explode; worth a
    warning below 1e-3 and above 1e3. non_finite: how many numbers among inputs of activations and gradients
    are not finite; counted, never replaced.
    """

    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        scalars: dict[str, Tensor] = {}
        for player, network in probed.players.items():
            scalars |= self._network(f"diagnostics/{player}", network)
        return scalars

    def _network(self, tag: str, network: ProbedNetwork) -> dict[str, Tensor]:
        names = [layer.name for layer in network.layers]
        norms, weights = (
            torch.stack([tensor.float().norm() for tensor in tensors])
            for tensors in zip(*((layer.gradient, layer.weight) for layer in network.layers), strict=True)
        )
        relative = _ratio(norms, weights)
        tensors = [
            *(record.inputs for record in network.activations),
            *(layer.gradient for layer in network.layers),
        ]
        return {
            **{f"{tag}/{name}/gradient": norms[k] for k, name in enumerate(names)},
            **{f"{tag}/{name}/gradient_relative": relative[k] for k, name in enumerate(names)},
            f"{tag}/gradient_ratio": _ratio(relative[0], relative[-1]),
            f"{tag}/non_finite": torch.stack([(~tensor.isfinite()).sum() for tensor in tensors]).sum(),
        }


class DataGradient(TensorDiagnostic):
    """E ||grad_x D(x)||₂ at real and at generated samples: the steepness that R1, R2 and penalties bound.

    Mescheder et al. (2018), arXiv:1801.04406; Gulrajani et al. (2017), arXiv:1704.00028.
    """

    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        both = {"data_gradient": probed.real_gradients, "fake_gradient": probed.fake_gradients}
        return {f"diagnostics/pair/{name}": g.flatten(1).norm(dim=1).mean() for name, g in both.items()}


class EffectiveRank(TensorDiagnostic):
    """exp(-sum p ln p) of the last hidden layer, p = sigma / sum sigma (Roy and Vetterli 2007).

    sigma: singular values of its centered outputs, one row a sample; uncentered, the mean of a positive
    activation would drown everything else. At most ``ROWS`` samples, evenly spaced: this is what costs.
    """

    def tensors(self, probed: ProbeResult) -> dict[str, Tensor]:
        return {
            f"diagnostics/{player}/effective_rank": effective_rank(network.activations[-1].outputs())
            for player, network in probed.players.items()
            if network.activations
        }


def effective_rank(features: Tensor) -> Tensor:
    """(N, ...) -> a number from 1 to min(N - 1, d); NaN where features are not finite or all the same.

    On the CPU, through the smaller Gram matrix in double precision: far cheaper than a decomposition of
    N x (C H W).
    """
    rows = features[:: math.ceil(len(features) / ROWS)].flatten(1).cpu().double()
    rows = rows - rows.mean(dim=0)
    gram = rows @ rows.T if len(rows) <= rows.shape[1] else rows.T @ rows
    finite = gram.isfinite().all()
    sigma = torch.linalg.eigvalsh(torch.where(finite, gram, 0.0)).clamp_min(0).sqrt()
    # What rounding leaves of the zero eigenvalues would otherwise count as directions.
    sigma = torch.where(sigma > sigma.max() * 1e-7, sigma, 0.0)
    p = sigma / sigma.sum()
    return torch.where(finite, torch.exp(-torch.xlogy(p, p).sum()), math.nan)


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return torch.where(b != 0, a / b, math.nan)
