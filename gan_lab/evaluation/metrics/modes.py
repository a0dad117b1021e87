"""Mixtures of Gaussians, where every mode is known: what was found, how well, and how evenly."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec, squared_distances
from gan_lab.utils.checks import check_number


class MixtureModes(Metric):
    """How many modes were found, how good the samples are, and how evenly they fall on the modes.

    A sample is of high quality within ``radius`` standard deviations of its nearest center; n_j of them are
    nearest to center j, p_j = n_j / sum n, K centers, N samples.

    modes: #{n_j >= 1} (Lin et al. 2018, PacGAN). Alone it says nothing: uniform noise finds most of them.
    modes_strict: #{n_j >= share N / K}, with ``share`` a fifth (ours).
    frac_high_quality: sum n / N. Real data have 1 - exp(-radius²/2) = .989 at 3; more than that is too
    little variance.
    reverse_kl: KL(p || uniform) = ln K + sum p ln p, in nats; where sum n = 0 undefined, and the worst.
    kl_all: the same with every sample at its nearest center, however far.
    mode_js: Jensen-Shannon divergence, in nats, between (n_1, ..., n_K, N - sum n) / N and what real data
    have, ((1-e)/K, ..., (1-e)/K, e) with e = exp(-radius²/2). It sees missing modes and bad samples in one
    number (ours), and therefore may decide: 0 is real data, .663 no sample near any mode (at radius 3).
    """

    score_specs: ClassVar[Mapping[str, ScoreSpec]] = {
        "mode_js": ScoreSpec(
            "min",
            math.log(2),
            "Jensen-Shannon divergence between where samples fall, one of the modes or none, and where real "
            "data do: sees missing modes and bad samples in one number.",
            "0 to 0.693",
        ),
        "modes": ScoreSpec(
            "max",
            0.0,
            "Modes with at least one sample near. Alone it says nothing: uniform noise has most of them.",
            "0 to the number of modes",
        ),
        "modes_strict": ScoreSpec(
            "max",
            0.0,
            "Modes with at least a fifth of their share of the samples near.",
            "0 to the number of modes",
        ),
        "frac_high_quality": ScoreSpec(
            "max",
            0.0,
            "Share of samples near a mode. More than real data have means too little variance.",
            "0 to 1",
        ),
        "reverse_kl": ScoreSpec(
            "min",
            None,
            "How unevenly the samples near a mode fall on the modes, in nats; undefined if none is near.",
            "0 (evenly) to the logarithm of the number of modes",
        ),
        "kl_all": ScoreSpec(
            "min",
            None,
            "How unevenly all samples fall on their nearest modes, however far, in nats.",
            "0 (evenly) to the logarithm of the number of modes",
        ),
    }

    def __init__(self, radius: float = 3.0, share: float = 0.2) -> None:
        self.radius = check_number("metric.modes.radius", radius, above=0)
        self.share = check_number("metric.modes.share", share, above=0)

    def why_not_applicable(self, real: FeatureBatch) -> str | None:
        return "the modes of these data are not known" if real.modes is None else None

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        assert real.modes is not None
        centers, std = real.modes
        k, n = len(centers), len(fake)
        nearest = squared_distances(fake.features, centers.double()).min(dim=1)
        good = nearest.values.sqrt() < self.radius * std
        counts = torch.bincount(nearest.indices[good], minlength=k).double()
        missed = math.exp(-(self.radius**2) / 2)
        ideal = torch.cat([torch.full((k,), (1 - missed) / k), torch.tensor([missed])]).double()
        observed = torch.cat([counts, n - counts.sum()[None]]) / n
        return {
            "mode_js": _jensen_shannon(observed, ideal),
            "modes": float((counts >= 1).sum()),
            "modes_strict": float((counts >= self.share * n / k).sum()),
            "frac_high_quality": float(counts.sum() / n),
            "reverse_kl": kl_to_uniform(counts),
            "kl_all": kl_to_uniform(torch.bincount(nearest.indices, minlength=k).double()),
        }


def kl_to_uniform(counts: Tensor) -> float | None:
    """Counts (K,) -> KL(counts / sum || uniform) in nats, None where nothing was counted."""
    total = counts.sum()
    if not total:
        return None
    p = counts / total
    # Rounding may leave a uniform p a hair below 0.
    return max(math.log(len(counts)) + float(torch.xlogy(p, p).sum()), 0.0)


def _jensen_shannon(p: Tensor, q: Tensor) -> float:
    middle = (p + q) / 2
    halves = [torch.xlogy(x, x).sum() - torch.xlogy(x, middle).sum() for x in (p, q)]
    return max(float(sum(halves)) / 2, 0.0)
