"""Fidelity and diversity from nearest neighbors. Precision never comes without recall and coverage."""

from collections.abc import Mapping
from typing import ClassVar

from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec, squared_distances
from gan_lab.evaluation.metrics.distances import KNOWN_MODES
from gan_lab.utils.checks import check_int


class PRDC(Metric):
    """Precision and recall (Kynkäänniemi et al. 2019), density and coverage (Naeem et al. 2020).

    Precision: share of fakes inside a ball around some real sample, of radius its k-th neighbor's distance;
    recall: the same with the roles exchanged (arXiv:1904.06991, k = 3; by torch-fidelity). Density: mean
    number of real balls around a fake, over k; coverage: share of real balls with a fake inside
    (arXiv:2002.09797, k = 5). All in float64 on features centered on the real mean, because distances lose
    digits far from the origin. Recall does not see a class that becomes rare; coverage does.
    """

    score_specs: ClassVar[Mapping[str, ScoreSpec]] = {
        "coverage": ScoreSpec(
            "max",
            0.0,
            "Share of real samples with a generated one nearer than their k-th real neighbor: variety, and "
            "sees a class that becomes rare.",
            "0 to 1",
        ),
        "density": ScoreSpec(
            "max",
            0.0,
            "How many real samples have a generated one in their neighborhood, over what is expected: "
            "quality; above 1 samples crowd where real data are dense.",
            "from 0; about 1 for real data",
        ),
        "recall": ScoreSpec(
            "max",
            0.0,
            "Share of real samples inside the neighborhood of a generated one: variety, blind to a class "
            "that becomes rare.",
            "0 to 1",
        ),
        "precision": ScoreSpec(
            "max",
            0.0,
            "Share of generated samples inside the neighborhood of a real one: quality, and nothing of "
            "variety.",
            "0 to 1",
        ),
    }

    def __init__(self, neighbors: int = 3, coverage_neighbors: int = 5) -> None:
        self.neighbors = check_int("metric.prdc.neighbors", neighbors)
        self.coverage_neighbors = check_int("metric.prdc.coverage_neighbors", coverage_neighbors)

    def why_not_applicable(self, real: FeatureBatch) -> str | None:
        if real.modes is not None:
            return KNOWN_MODES
        needed = max(self.neighbors, self.coverage_neighbors) + 1
        return f"it needs {needed} samples, and there are {len(real)}" if len(real) < needed else None

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        from torch_fidelity.metric_prc import prc_features_to_metric

        center = real.features.mean(dim=0)
        f, r = fake.features - center, real.features - center
        result = prc_features_to_metric(
            f,
            r,
            prc_neighborhood=self.neighbors,
            prc_batch_size=10_000,
            save_cpu_ram=False,
            verbose=False,
        )
        k = self.coverage_neighbors
        radii = squared_distances(r, r).kthvalue(k + 1, dim=1).values  # the nearest is the sample itself
        between = squared_distances(r, f)
        inside = between < radii[:, None]
        return {
            "coverage": float(inside.any(dim=1).double().mean()),
            "density": float(inside.sum(dim=0).double().mean() / k),
            "recall": result["recall"],
            "precision": result["precision"],
        }
