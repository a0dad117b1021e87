"""Metrics against closed forms, torch-fidelity, and clouds whose order is known."""

import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import wasserstein_distance
from torch import Tensor

from gan_lab.evaluation.metrics.base import FeatureBatch, squared_distances
from gan_lab.evaluation.metrics.classes import ClassProportions, StackedModes
from gan_lab.evaluation.metrics.distances import FID, KID, SlicedWasserstein
from gan_lab.evaluation.metrics.modes import MixtureModes, kl_to_uniform
from gan_lab.evaluation.metrics.prdc import PRDC
from gan_lab.utils.errors import ConfigurationError

FEATURE_METRICS = (FID(), KID(), PRDC(), SlicedWasserstein())


def normal(n: int, d: int, seed: int = 0) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scores(fake: Tensor, real: Tensor) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in FEATURE_METRICS:
        found |= metric(FeatureBatch(fake), FeatureBatch(real))  # type: ignore[arg-type]
    return found


def test_frechet_distance_of_gaussians_has_a_closed_form() -> None:
    """Between N(0, I) and N(m, s² I): |m|² + d (1 - s)²; estimated covariances are exactly these here."""
    n, d = 4000, 3
    x = normal(n, d)
    x = x - x.mean(dim=0)
    # Whitened, so that mean and covariance are exactly 0 and I.
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T.cov())).T
    shift = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    found = FID()(FeatureBatch(3 * x + shift), FeatureBatch(x))["fid"]
    assert found == pytest.approx(float(shift.square().sum()) + d * (1 - 3) ** 2, rel=1e-9)
    assert FID()(FeatureBatch(x), FeatureBatch(x))["fid"] == pytest.approx(0, abs=1e-9)


def test_frechet_distance_against_scipy_also_far_from_the_origin() -> None:
    a, b = normal(500, 6, 1), normal(500, 6, 2) @ normal(6, 6, 3) + 0.3
    ca, cb = np.cov(a.numpy(), rowvar=False), np.cov(b.numpy(), rowvar=False)
    gap = (a.mean(0) - b.mean(0)).numpy()
    expected = gap @ gap + np.trace(ca + cb - 2 * sqrtm(ca @ cb).real)
    for offset in (0.0, 1e4):
        found = FID()(FeatureBatch(a + offset), FeatureBatch(b + offset))["fid"]
        assert found == pytest.approx(expected, rel=1e-6)


def test_kernel_distance_is_unbiased_and_matches_its_formula() -> None:
    x, y = normal(60, 4, 1), normal(60, 4, 2) + 0.5
    center = y.mean(dim=0)
    scale = (y - center).square().mean().sqrt()
    a, b = (x - center) / scale, (y - center) / scale

    def kernel(u: Tensor, v: Tensor) -> Tensor:
        return (u @ v.T / 4 + 1) ** 3

    def off_diagonal(k: Tensor) -> Tensor:
        return (k.sum() - k.diagonal().sum()) / (60 * 59)

    expected = float(off_diagonal(kernel(a, a)) + off_diagonal(kernel(b, b)) - 2 * kernel(a, b).mean())
    found = KID(subsets=2, subset_size=1000)(FeatureBatch(x), FeatureBatch(y))
    assert found["kid"] == pytest.approx(expected, rel=1e-9)
    assert found["kid_spread"] == pytest.approx(0, abs=1e-12)  # every subset is everything

    for offset in (10.0, 1e4):  # where the features lie does not matter
        moved = KID(subsets=2, subset_size=1000)(FeatureBatch(x + offset), FeatureBatch(y + offset))
        assert moved["kid"] == pytest.approx(expected, rel=1e-6)

    equal = [
        KID(subsets=4)(FeatureBatch(normal(200, 8, 2 * k)), FeatureBatch(normal(200, 8, 2 * k + 1)))["kid"]
        for k in range(30)
    ]
    assert abs(np.mean(equal)) < 3 * np.std(equal) / math.sqrt(30)


def test_kernel_distance_does_not_drown_where_features_are_large() -> None:
    """Seen: on features of size 7 the raw cubic kernel gave -116 between equal clouds."""
    real, same, other = 7 * normal(500, 64, 1), 7 * normal(500, 64, 2), 7 * normal(500, 64, 3) + 2
    metric = KID()
    assert abs(metric(FeatureBatch(same), FeatureBatch(real))["kid"]) < 0.01  # type: ignore[arg-type]
    assert metric(FeatureBatch(other), FeatureBatch(real))["kid"] > 0.05  # type: ignore[operator]


def test_precision_recall_density_coverage_against_their_definitions() -> None:
    real, fake = normal(80, 2, 1), 0.7 * normal(90, 2, 2) + 0.4
    found = PRDC()(FeatureBatch(fake), FeatureBatch(real))

    def radius(cloud: Tensor, i: int, k: int) -> float:
        return sorted(float((cloud[i] - other).norm()) for j, other in enumerate(cloud) if j != i)[k - 1]

    r3, f3 = [radius(real, i, 3) for i in range(80)], [radius(fake, i, 3) for i in range(90)]
    r5 = [radius(real, i, 5) for i in range(80)]
    between = [[float((r - f).norm()) for f in fake] for r in real]
    precision = np.mean([any(between[i][j] <= r3[i] for i in range(80)) for j in range(90)])
    recall = np.mean([any(between[i][j] <= f3[j] for j in range(90)) for i in range(80)])
    density = np.sum([between[i][j] < r5[i] for i in range(80) for j in range(90)]) / (5 * 90)
    coverage = np.mean([any(between[i][j] < r5[i] for j in range(90)) for i in range(80)])
    assert found == pytest.approx(
        {"coverage": coverage, "density": density, "recall": recall, "precision": precision}, rel=1e-6
    )


def test_distances_keep_their_digits_far_from_the_origin() -> None:
    """Seen: in single precision, an offset of 1000 made a precision of .229 read .406."""
    real, fake = normal(300, 8, 1), 1.5 * normal(300, 8, 2)
    near = PRDC()(FeatureBatch(fake), FeatureBatch(real))
    far = PRDC()(FeatureBatch(fake + 1e4), FeatureBatch(real + 1e4))
    assert near == pytest.approx(far, abs=1e-9)
    assert squared_distances(real + 1e6, real + 1e6).diagonal().max() == 0


def test_sliced_wasserstein_on_a_line_and_in_the_plane() -> None:
    x, y = normal(400, 1, 1), 2 * normal(400, 1, 2) + 1
    metric = SlicedWasserstein(directions=4)
    paired = float((x.sort(0).values - y.sort(0).values).square().mean().sqrt())
    assert metric(FeatureBatch(x), FeatureBatch(y))["sliced_wasserstein"] == pytest.approx(paired)
    assert paired >= wasserstein_distance(x[:, 0].numpy(), y[:, 0].numpy())  # W2 is never below W1
    # A shift by v moves every direction by θ·v, and E (θ·v)² = |v|²/d.
    cloud = normal(300, 2)
    shifted = cloud + torch.tensor([3.0, 4.0], dtype=torch.float64)
    found = SlicedWasserstein(directions=20_000)(FeatureBatch(shifted), FeatureBatch(cloud))[
        "sliced_wasserstein"
    ]
    assert found == pytest.approx(5 / math.sqrt(2), rel=0.01)


def test_noise_is_ordered_and_collapse_is_seen() -> None:
    real, same = normal(500, 8, 1), normal(500, 8, 2)
    mild, strong = same + 0.5 * normal(500, 8, 3), same + 2 * normal(500, 8, 4)
    collapsed = real[:1] + 0.01 * normal(500, 8, 5)
    equal, weak, bad, one = (scores(fake, real) for fake in (same, mild, strong, collapsed))
    for name in ("fid", "kid", "sliced_wasserstein"):
        assert equal[name] < weak[name] < bad[name]
        assert one[name] > equal[name]
    assert equal["coverage"] > weak["coverage"] > bad["coverage"]
    assert one["precision"] > 0.95
    assert one["recall"] < 0.05
    assert one["coverage"] < 0.05


def test_thinning_a_class_is_seen_by_coverage_and_classes_but_not_by_recall() -> None:
    """Seen: one class cut to a tenth left recall unmoved."""
    centers = 8 * torch.eye(4, dtype=torch.float64)

    def cloud(labels: Tensor, seed: int) -> FeatureBatch:
        features = centers[labels] + normal(len(labels), 4, seed)
        return FeatureBatch(features, logits=features)

    even = torch.arange(600) % 4
    thin = even.clone()
    few = (even == 0) & (torch.arange(600) % 40 != 0)
    thin[few] = 1 + torch.arange(int(few.sum())) % 3
    real, equal, thinned = cloud(even, 1), cloud(even, 2), cloud(thin, 3)
    metric = PRDC()
    a, b = metric(equal, real), metric(thinned, real)
    assert b["coverage"] < a["coverage"] - 0.08  # type: ignore[operator]
    assert abs(b["recall"] - a["recall"]) < 0.05  # type: ignore[operator]
    p = torch.bincount(thin, minlength=4) / 600
    expected = float((p * (p * 4).log()).sum())
    assert ClassProportions()(equal, real)["class_kl"] == pytest.approx(0, abs=1e-9)
    assert ClassProportions()(thinned, real)["class_kl"] == pytest.approx(expected, rel=1e-5)


def test_a_missing_class_is_seen() -> None:
    labels = torch.arange(1000) % 10
    real = FeatureBatch(torch.zeros(1000, 1), logits=20 * torch.eye(10)[labels].double())
    missing = torch.where(labels == 3, 4, labels)
    fake = FeatureBatch(torch.zeros(1000, 1), logits=20 * torch.eye(10)[missing].double())
    found, equal = ClassProportions()(fake, real), ClassProportions()(real, real)
    # Nine classes, one of them with a fifth: KL to uniform is .2 ln 2.
    assert found["class_kl"] == pytest.approx(0.2 * math.log(2), rel=1e-6)
    assert equal["class_kl"] == pytest.approx(0, abs=1e-12)
    assert equal["classifier_score"] == pytest.approx(10, rel=1e-4)
    entropy = -(8 * 0.1 * math.log(0.1) + 0.2 * math.log(0.2))
    assert found["classifier_score"] == pytest.approx(math.exp(entropy), rel=1e-4)


def test_confidence_tells_mixtures_of_two_digits() -> None:
    sure = torch.tensor([[20.0, 0, 0], [0, 20, 0]]).double()
    torn = torch.tensor([[20.0, 20, 0], [0, 20, 0]]).double()
    real = FeatureBatch(torch.zeros(2, 1), logits=sure)
    assert ClassProportions()(real, real)["frac_confident"] == 1
    assert ClassProportions()(FeatureBatch(torch.zeros(2, 1), logits=torn), real)["frac_confident"] == 0.5


RING = torch.tensor([[math.cos(k * math.pi / 4), math.sin(k * math.pi / 4)] for k in range(8)]).double()


def on_ring(points: Tensor) -> dict[str, float]:
    evidence = FeatureBatch(points.double(), modes=(RING, 0.01))
    return MixtureModes()(evidence, evidence)  # type: ignore[return-value]


def test_real_mixtures_score_their_known_ceilings() -> None:
    labels = torch.arange(40_000) % 8
    found = on_ring(RING[labels] + 0.01 * normal(40_000, 2))
    assert found["modes"] == found["modes_strict"] == 8
    assert found["frac_high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=3 * math.sqrt(0.011 / 40_000))
    assert found["reverse_kl"] < 1e-4
    assert found["mode_js"] < 1e-4


def test_uniform_noise_does_not_look_good() -> None:
    """Seen: 6.5 of 8 modes, .5 % of high quality, in the bounding box and with 2,500 samples."""
    found = []
    for k in range(40):
        uniform = torch.rand(2500, 2, generator=torch.Generator().manual_seed(k))
        found.append(on_ring((2 * uniform - 1) * 1.03))  # the box around all disks of three deviations
    mean = {name: np.mean([f[name] for f in found]) for name in found[0]}
    disk = math.pi * 0.03**2 / 2.06**2
    assert mean["modes"] == pytest.approx(8 * (1 - (1 - disk) ** 2500), abs=0.4)
    assert mean["frac_high_quality"] == pytest.approx(8 * disk, abs=0.0005)
    assert mean["modes_strict"] == 0
    assert mean["mode_js"] > 0.6


def test_modes_by_hand() -> None:
    points = torch.cat([RING[:1].expand(60, 2), RING[1:2].expand(4, 2), torch.full((36, 2), 5.0)])
    found = on_ring(points)
    assert found["modes"] == 2
    assert found["modes_strict"] == 2  # at least .2 * 100 / 8 = 2.5 samples
    assert found["frac_high_quality"] == pytest.approx(0.64)
    p, q = 60 / 64, 4 / 64
    assert found["reverse_kl"] == pytest.approx(math.log(8) + p * math.log(p) + q * math.log(q))
    # The far ones are nearest to mode 1, which lies towards (5, 5).
    assert found["kl_all"] == pytest.approx(math.log(8) + 0.6 * math.log(0.6) + 0.4 * math.log(0.4))
    missed = math.exp(-4.5)
    ideal = np.array([(1 - missed) / 8] * 8 + [missed])
    seen = np.array([0.6, 0.04] + [0] * 6 + [0.36])
    from scipy.spatial.distance import jensenshannon

    assert found["mode_js"] == pytest.approx(jensenshannon(seen, ideal) ** 2)


def test_nothing_right_is_the_worst_and_never_zero() -> None:
    found = on_ring(torch.full((100, 2), 9.0))
    assert found["modes"] == found["frac_high_quality"] == 0
    assert found["reverse_kl"] is None
    assert found["kl_all"] == pytest.approx(math.log(8))
    e = math.exp(-4.5)
    halves = -math.log((1 + e) / 2), e * math.log(2 * e / (1 + e)) + (1 - e) * math.log(2)
    assert found["mode_js"] == pytest.approx(sum(halves) / 2)
    assert kl_to_uniform(torch.zeros(4)) is None
    assert kl_to_uniform(torch.full((7,), 3.0)) == 0


def test_stacked_digits_count_triples() -> None:
    generator = torch.Generator().manual_seed(0)
    digits = torch.randint(10, (26_000, 3), generator=generator)
    evidence = FeatureBatch(torch.zeros(26_000, 1), logits=20 * torch.eye(10).double()[digits])
    found = StackedModes()(evidence, evidence)
    assert found["stacked_modes"] == 1000
    # The expected divergence of N uniform draws over K classes is (K - 1) / 2N.
    assert found["stacked_kl"] == pytest.approx(999 / 52_000, rel=0.15)
    assert found["frac_confident"] == 1
    one = FeatureBatch(torch.zeros(5, 1), logits=20 * torch.eye(10).double()[torch.tensor([[1, 2, 3]] * 5)])
    assert StackedModes()(one, one)["stacked_kl"] == pytest.approx(math.log(1000))
    assert StackedModes()(one, one)["stacked_modes"] == 1


def test_metrics_say_what_does_not_suit_them() -> None:
    few, points = FeatureBatch(normal(50, 8)), FeatureBatch(normal(500, 2), modes=(RING, 0.01))
    assert "80 samples" in str(FID().why_not_applicable(few))
    assert FID(samples_per_dimension=5).why_not_applicable(few) is None
    assert FID().why_not_applicable(points) == KID().why_not_applicable(points)
    assert MixtureModes().why_not_applicable(few)
    assert MixtureModes().why_not_applicable(points) is None
    assert ClassProportions().why_not_applicable(few)
    assert StackedModes().why_not_applicable(FeatureBatch(few.features, logits=torch.zeros(50, 10)))
    assert PRDC().why_not_applicable(FeatureBatch(normal(5, 2)))
    assert SlicedWasserstein().why_not_applicable(points) is None


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (lambda: FID(samples_per_dimension=-1), "metric.fid.samples_per_dimension"),
        (lambda: KID(subsets=0), "metric.kid.subsets"),
        (lambda: KID(subset_size=1.5), "metric.kid.subset_size"),  # type: ignore[arg-type]
        (lambda: PRDC(neighbors=0), "metric.prdc.neighbors"),
        (lambda: SlicedWasserstein(directions=0), "metric.sliced_wasserstein.directions"),
        (lambda: MixtureModes(radius=math.nan), "metric.modes.radius"),
        (lambda: MixtureModes(share=0), "metric.modes.share"),
    ],
)
def test_bad_settings_are_named(make: object, key: str) -> None:
    with pytest.raises(ConfigurationError, match=key):
        make()  # type: ignore[operator]


def test_first_scores_decide_and_every_score_has_a_direction() -> None:
    for metric in (*FEATURE_METRICS, MixtureModes(), ClassProportions(), StackedModes()):
        assert all(spec.direction in ("min", "max") for spec in metric.score_specs.values())
    assert next(iter(MixtureModes.score_specs)) == "mode_js"
    assert next(iter(PRDC.score_specs)) == "coverage"


def test_the_contract_with_torch_fidelity() -> None:
    """Its minor version is pinned, because these functions are not part of its documented interface."""
    import inspect
    from importlib.metadata import version

    from torch_fidelity import metric_fid, metric_isc, metric_kid, metric_prc

    assert version("torch-fidelity").startswith("0.4.")
    assert list(inspect.signature(metric_fid.fid_statistics_to_metric).parameters) == [
        "stat_1",
        "stat_2",
        "verbose",
    ]
    assert list(inspect.signature(metric_isc.isc_features_to_metric).parameters)[:2] == ["feature", "splits"]
    wide, narrow = 3 * normal(200, 4, 1), 0.1 * normal(200, 4, 2)
    # The first argument is the generated one: a narrow cloud is precise, recalls little (swapped before 0.4).
    settings = {"prc_neighborhood": 3, "prc_batch_size": 10_000, "save_cpu_ram": False, "verbose": False}
    found = metric_prc.prc_features_to_metric(narrow, wide, **settings)
    assert found["precision"] > 0.9 > 0.2 > found["recall"]
    twice = [
        metric_kid.kid_features_to_metric(
            wide, narrow, kid_subsets=3, kid_subset_size=100, verbose=False, rng_seed=1
        )
        for _ in range(2)
    ]
    assert twice[0] == twice[1]
