"""Evaluators, and what a run leaves of their scores."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gan_lab.config.build import build
from gan_lab.datasets.base import Images
from gan_lab.evaluation.evaluator import Evaluator, build_evaluator
from gan_lab.evaluation.features.base import Raw
from gan_lab.evaluation.metrics.base import FeatureBatch, Metric
from gan_lab.evaluation.metrics.distances import SlicedWasserstein
from gan_lab.evaluation.metrics.prdc import PRDC
from gan_lab.evaluation.scorer import Scores
from gan_lab.runs.folder import seed_folder
from gan_lab.runs.results import read_results
from gan_lab.runs.stats import read_stats
from gan_lab.training.engines import Engine
from gan_lab.training.scoring import extract_seeds
from gan_lab.utils.errors import ConfigurationError
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS, assembled, choices, composed, train

SAMPLED = ("metrics.every=4", "metrics.samples=300")
MEASURED = ("steps=4", "log.every=2", "samples.every=0", "metrics.every=2", "metrics.samples=40")


def judge(*overrides: str) -> Evaluator:
    cfg = composed(*overrides)
    return build_evaluator(cfg, build(cfg, "dataset"))


@pytest.mark.parametrize("name", choices("metric"))
def test_every_metric_is_built_from_its_file(name: str) -> None:
    metric = build(composed(f"metric=[{name}]"), f"metric.{name}")
    assert isinstance(metric, Metric)
    for score, spec in metric.score_specs.items():  # what the glossary of a report says
        assert spec.meaning.endswith("."), score
        assert spec.range, score
        assert spec.squared == (score == "fid")


def test_real_held_out_data_are_the_floor_and_noise_is_far_from_it() -> None:
    found = judge("dataset=digits")
    assert found.primary == "fid"
    assert found.count == 597
    assert found.reference == "held-out"
    assert set(found.skipped_metrics) == {"modes", "stacked_modes"}
    generator = torch.Generator().manual_seed(0)
    data = build(composed("dataset=digits"), "dataset")

    def noisy(sd: float) -> Callable[[Tensor], Tensor]:
        def generate(z: Tensor) -> Tensor:
            rows = torch.randint(len(data), (len(z),), generator=generator)
            real = data.batch(rows)
            return (real + sd * torch.randn(real.shape, generator=generator)).clamp(-1, 1)

        return generate

    mild, strong = found(noisy(0.1), 0), found(noisy(0.6), 0)
    fids = [scores["fid"] for scores in (found.real_data_scores, mild, strong)]
    assert None not in fids
    assert fids[0] * 1.2 < fids[2]  # type: ignore[operator]
    assert fids[1] < 0.7 * fids[2]  # type: ignore[operator]
    assert found.real_data_scores["coverage"] > 0.9  # type: ignore[operator]
    assert found.real_data_scores["frac_confident"] > 0.9  # type: ignore[operator]


def test_points_are_counted_by_their_modes() -> None:
    found = judge("dataset=ring", "model=mlp")
    assert found.primary == "mode_js"
    assert found.real_data_scores["modes"] == found.real_data_scores["modes_strict"] == 8
    assert found.real_data_scores["frac_high_quality"] == pytest.approx(0.989, abs=0.008)
    assert {"fid", "kid", "prdc", "classes"} <= set(found.skipped_metrics)
    assert found.count == 2500


def test_real_data_are_drawn_three_times_without_sharing_a_sample() -> None:
    found = judge("dataset=ring", "model=mlp", "metrics.samples=200")
    draws = [scores["mode_js"] for scores in found.real_data_draws]
    assert len(set(draws)) == 3
    assert None not in draws
    written = found.summarize(None, [])["metrics"]["mode_js"]
    assert written["real_data_draws"] == draws
    assert written["real_data"] == pytest.approx(sum(draws) / 3)  # type: ignore[arg-type]


def test_as_many_draws_are_made_as_there_are_real_data() -> None:
    pixels = torch.randint(0, 256, (100, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    data = Images(pixels.to(torch.uint8), name="mine")
    metrics = {"sw": SlicedWasserstein()}
    few = Evaluator(data, Raw(data.shape), metrics, samples=20, latent_size=2)
    assert len(few.real_data_draws) == 2  # of half of the data, 20 each
    many = Evaluator(data, Raw(data.shape), metrics, samples=50, latent_size=2)
    assert len(many.real_data_draws) == 1
    assert many.real_data_scores == many.real_data_draws[0]


def test_samples_that_are_not_finite_have_no_scores() -> None:
    found = judge("dataset=ring", "model=mlp", "metrics.samples=50")
    scores = found(lambda z: torch.full((len(z), 2), torch.nan), 0)
    assert set(scores) == set(found.score_specs)
    assert all(value is None for value in scores.values())


def score_seeds(evaluator: Evaluator, engine: Engine | None) -> list[Scores]:
    assert engine is not None
    return [evaluator.score(parts) for parts in extract_seeds(evaluator, engine)]


def test_scores_depend_on_nothing_but_the_generator_and_the_seed() -> None:
    experiment = assembled(*TINY_POINTS, "seeds=3", *SAMPLED)
    found = experiment.evaluator
    assert found is not None
    together = score_seeds(found, experiment.engine)
    alone = assembled(*TINY_POINTS, "seed=2", *SAMPLED)
    assert alone.evaluator is not None
    (same,) = score_seeds(alone.evaluator, alone.engine)
    assert same.keys() == together[2].keys()
    for name, value in together[2].items():
        assert same[name] == (value if value is None else pytest.approx(value, rel=1e-4)), name
    assert score_seeds(found, experiment.engine) == together
    assert together[0] != together[1]


def test_without_a_held_out_part_the_data_are_halved() -> None:
    pixels = torch.randint(0, 256, (41, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    data = Images(pixels.to(torch.uint8), name="mine")
    metrics = {"prdc": PRDC(), "sw": SlicedWasserstein()}
    found = Evaluator(data, Raw(data.shape), metrics, samples=100, latent_size=2)
    assert found.count == 20
    assert found.reference == "training data, other half"
    assert found.primary == "coverage"
    assert found.real_data_scores["sliced_wasserstein"] > 0  # type: ignore[operator]


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (("report.primary=modes",), "report.primary must be null or one of fid, .*, got 'modes'"),
        (("metric=[modes]",), "metric names nothing that applies to these data: modes: "),
        (("metric=[]",), "metric must name at least one metric"),
        (("metrics.samples=1",), "metrics.samples must be"),
        (("metrics.every=-1",), "metrics.every must be"),
        (("diagnostics.samples=0",), "diagnostics.samples must be"),
        (("report.reference=",), "report.reference must be the name"),
        (("features=classifier", "dataset=ring", "model=mlp"), "features=classifier needs labeled images"),
    ],
)
def test_what_cannot_be_measured_is_said_before_anything_is_made(
    overrides: tuple[str, ...], sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        train([*TINY_IMAGES, "metrics.every=1", *overrides, "steps=1"])
    assert not (tmp_path / "outputs").exists()


def test_a_run_leaves_last_best_and_mean_behind() -> None:
    run = train([*TINY_IMAGES, *MEASURED, "seeds=2"])
    for seed in (0, 1):
        folder = seed_folder(run.folder, seed)
        results = read_results(folder)
        assert results is not None
        lines = {line["step"]: line for line in read_stats(folder)}
        fid = results["metrics"]["kid"]
        on_the_way = [lines[2]["metrics/kid"], lines[4]["metrics/kid"]]
        assert fid["last"] == on_the_way[1]
        assert fid["best"] == min(on_the_way)
        assert fid["best_step"] == 2 * (1 + on_the_way.index(min(on_the_way)))
        assert fid["mean"] == pytest.approx(sum(on_the_way) / 2)
        coverage = results["metrics"]["coverage"]
        assert coverage["best"] == max(lines[2]["metrics/coverage"], lines[4]["metrics/coverage"])
        assert results["samples"] == {"fake": 40, "real": 40, "reference": "held-out"}
        assert results["features"]["name"] == "classifier"
        assert len(results["features"]["hash"]) == 16
        assert "40" in results["skipped_metrics"]["fid"]
        assert results["primary"] == "kid"
        assert results["step"] == 4
    assert 0 < run.status.metric_seconds < run.status.seconds


def test_a_seed_that_diverges_has_the_worst_scores() -> None:
    run = train([*TINY_POINTS, *MEASURED, "steps=30", "optimizer.lr=1e30", "seeds=2"])
    assert run.status.diverged
    for seed, step in run.status.diverged.items():
        results = read_results(seed_folder(run.folder, seed))
        assert results is not None
        assert results["step"] == step
        assert all(score["last"] is None for score in results["metrics"].values())
        assert results["metrics"]["modes"]["real_data"] == 8


def test_scores_do_not_depend_on_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    def scores(chunk: int) -> dict[str, float | None]:
        monkeypatch.setattr("gan_lab.evaluation.evaluator.CHUNK", chunk)
        experiment = assembled(*TINY_IMAGES, "metrics.every=4", "metrics.samples=100")
        assert experiment.evaluator is not None
        engine = experiment.engine
        return experiment.evaluator(lambda z: engine.generate(z[None])[0], 0)

    whole, parts = scores(100), scores(7)
    for name, value in whole.items():
        assert parts[name] == pytest.approx(value, rel=1e-3, abs=1e-6), name


def test_a_metric_that_changes_what_others_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    original = SlicedWasserstein.__call__

    def clears(self: SlicedWasserstein, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        scores = original(self, fake, real)
        fake.features.zero_()
        return scores

    monkeypatch.setattr(SlicedWasserstein, "__call__", clears)
    with pytest.raises(ConfigurationError, match="it changes the features that it is given"):
        assembled(*TINY_POINTS, "metrics.every=1", "metrics.samples=40")


def test_scores_that_are_not_declared_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlicedWasserstein, "__call__", lambda *_: {"other": 1.0})
    with pytest.raises(ConfigurationError, match="it returns other, and its score_specs declare sliced_wass"):
        assembled(*TINY_POINTS, "metrics.every=1", "metrics.samples=40")


def test_the_choice_of_other_metrics_changes_no_score() -> None:
    words = (*TINY_POINTS, "metrics.every=1", "metrics.samples=40")
    together = assembled(*words, "metric=[kid,sliced_wasserstein]").evaluator
    alone = assembled(*words, "metric=[sliced_wasserstein]").evaluator
    assert together is not None
    assert alone is not None
    name = "sliced_wasserstein"
    assert [s[name] for s in together.real_data_draws] == [s[name] for s in alone.real_data_draws]


def test_a_score_that_is_never_defined_does_not_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlicedWasserstein, "__call__", lambda *_: {"sliced_wasserstein": float("nan")})
    words = (*TINY_POINTS, "metrics.every=1", "metrics.samples=40", "metric=[sliced_wasserstein,modes]")
    evaluator = assembled(*words).evaluator
    assert evaluator is not None
    assert evaluator.primary == "mode_js"
