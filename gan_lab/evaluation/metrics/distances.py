"""Distances between two clouds of features: Fréchet, kernel, and sliced Wasserstein."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch

from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec
from gan_lab.utils.checks import check_int, check_number

KNOWN_MODES = "the modes of these data are known and counted instead"


class FID(Metric):
    """|m_f - m_r|² + tr(C_f + C_r - 2 (C_f C_r)^½) of the features' means and covariances.

    Heusel et al. (2017), arXiv:1706.08500; computed by torch-fidelity, in float64. Features are taken as they
    are, so on Inception features this is the FID of the literature, and on others only comparable among
    runs with the same extractor. Its bias grows with d/N, therefore at least ten samples per dimension
    (`samples_per_dimension`).
    """

    score_specs: ClassVar[Mapping[str, ScoreSpec]] = {
        "fid": ScoreSpec(
            "min",
            None,
            "Fréchet distance between means and covariances of generated and real features. Compares only "
            "where features and numbers of samples are the same.",
            "from 0, without an upper bound",
            squared=True,
        )
    }

    def __init__(self, samples_per_dimension: float = 10) -> None:
        key = "metric.fid.samples_per_dimension"
        self.samples_per_dimension = check_number(key, samples_per_dimension, at_least=0)

    def why_not_applicable(self, real: FeatureBatch) -> str | None:
        if real.modes is not None:
            return KNOWN_MODES
        needed = math.ceil(self.samples_per_dimension * real.features.shape[1])
        if len(real) < needed:
            return (
                f"{real.features.shape[1]} features need {needed} samples, and there are {len(real)} "
                "(metrics.samples asks for more, metric.fid.samples_per_dimension for fewer)"
            )
        return None

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        # Centered, because differences of large means lose digits; the distance does not move.
        center = real.features.mean(dim=0)
        statistics = [fid_features_to_statistics(e.features - center) for e in (fake, real)]
        distance = fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
        return {"fid": max(distance, 0.0)}  # rounding can make equal clouds -1e-5 apart


class KID(Metric):
    """Unbiased squared maximum mean discrepancy with the cubic kernel (x·y/d + 1)³, mean over subsets.

    Bińkowski et al. (2018), arXiv:1801.01401; computed by torch-fidelity. The mean of the real features is
    subtracted from all, and they are divided by one number, the root mean square of the centered real ones:
    the cubic kernel drowns in noise where features are large or far from the origin, and scaling each feature
    by itself blows up those that are nearly constant. So values do not depend on where the features lie, and
    differ from published ones on raw Inception features. ``kid_spread`` is the standard deviation over the
    subsets.
    """

    score_specs: ClassVar[Mapping[str, ScoreSpec]] = {
        "kid": ScoreSpec(
            "min",
            None,
            "Squared maximum mean discrepancy of features with a cubic kernel, without bias: around 0, also "
            "below it, if the distributions are equal.",
            "from about 0, without an upper bound",
        ),
        "kid_spread": ScoreSpec(
            "min",
            None,
            "Standard deviation of KID over subsets of the samples: how exactly it is known.",
            "from 0, without an upper bound",
        ),
    }

    def __init__(self, subsets: int = 20, subset_size: int = 500) -> None:
        self.subsets = check_int("metric.kid.subsets", subsets, at_least=2)
        self.subset_size = check_int("metric.kid.subset_size", subset_size, at_least=2)

    def why_not_applicable(self, real: FeatureBatch) -> str | None:
        return KNOWN_MODES if real.modes is not None else None

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        from torch_fidelity.metric_kid import kid_features_to_metric

        center = real.features.mean(dim=0)
        centered = real.features - center
        scale = centered.square().mean().sqrt().clamp_min(torch.finfo(torch.float64).tiny)
        result = kid_features_to_metric(
            (fake.features - center) / scale,
            centered / scale,
            kid_subsets=self.subsets,
            kid_subset_size=min(self.subset_size, len(fake), len(real)),
            verbose=False,
            rng_seed=2020,
        )
        return {
            "kid": result["kernel_inception_distance_mean"],
            "kid_spread": result["kernel_inception_distance_std"],
        }


class SlicedWasserstein(Metric):
    """(E_θ W₂²(θ·fake, θ·real))^½ over directions θ, uniform on the sphere.

    Rabin et al. (2012), Bonneel et al. (2015). On a line W₂ pairs the sorted samples, so both clouds must
    have the same number of them. The directions are the same at every evaluation.
    """

    score_specs: ClassVar[Mapping[str, ScoreSpec]] = {
        "sliced_wasserstein": ScoreSpec(
            "min",
            None,
            "Wasserstein distance of features, root mean square over projections to random lines.",
            "from 0, without an upper bound",
        )
    }

    def __init__(self, directions: int = 128) -> None:
        self.directions = check_int("metric.sliced_wasserstein.directions", directions)

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        generator = torch.Generator().manual_seed(0)
        shape = (fake.features.shape[1], self.directions)
        directions = torch.randn(shape, generator=generator, dtype=torch.float64)
        directions /= directions.norm(dim=0)
        a, b = ((e.features @ directions).sort(dim=0).values for e in (fake, real))
        return {"sliced_wasserstein": float((a - b).square().mean().sqrt())}
