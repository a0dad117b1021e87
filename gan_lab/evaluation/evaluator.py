"""Scores of generators: features of generated and of held-out real samples, through every metric that fits.

What a score depends on is fixed once and goes with it: the extractor and its hash, the number of samples,
which real ones, and what real training data score against the same held-out samples.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_lab.config.build import build
from gan_lab.datasets.base import Dataset
from gan_lab.evaluation.features import Extractor
from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec
from gan_lab.evaluation.scorer import OnFailure, Scorer, Scores
from gan_lab.runs.naming import hash_keys
from gan_lab.utils.errors import ConfigurationError, summarize_exception
from gan_lab.utils.seeding import seeded, stream

CHUNK = 256  # samples that are generated, and looked at, together
# Keys of a configuration that a score depends on, beside the generator.
EVALUATION_KEYS = ("dataset", "features", "metric", "metrics.samples")
_REAL_DRAWS = 3


class Evaluator:
    """Score samples of one generator against held-out real ones.

    count: how many samples of each; real_data_draws: what draws of real training data score, up to three that
    share no sample; skipped_metrics: metric -> why it does not apply to these data.
    """

    def __init__(
        self,
        data: Dataset,
        extractor: Extractor,
        metrics: Mapping[str, Metric],
        *,
        samples: int,
        latent_size: int,
        primary: str | None = None,
    ) -> None:
        self.data, self.extractor, self.latent_size = data, extractor, latent_size
        held_out = data.held_out().to(data.device) if data.held_out is not None else None
        self.reference = "held-out" if held_out is not None else "training data, other half"
        real_data = held_out if held_out is not None else data
        # Files may be sorted (MNIST's test file is), so both are shuffled before a part is taken.
        order = torch.randperm(len(real_data), generator=stream(0, "reference"))
        training = torch.randperm(len(data), generator=stream(0, "floor"))
        if held_out is None:
            order, training = order[: len(order) // 2], order[len(order) // 2 :]
        self.count = min(samples, len(order), len(training))
        if self.count < 2:
            needed = (
                "2 held-out samples" if held_out is not None else "4 samples, half of them to compare with"
            )
            raise ConfigurationError(
                f"dataset {data.name} must have at least {needed}, got {len(real_data)}: metrics.every=0 "
                "trains without metrics"
            )
        real = FeatureBatch.concatenate(self._extract_real(real_data, order[: self.count]))
        reasons = {name: metric.why_not_applicable(real) for name, metric in metrics.items()}
        self.skipped_metrics = {name: why for name, why in reasons.items() if why is not None}
        self.scorer = Scorer({n: m for n, m in metrics.items() if n not in self.skipped_metrics}, real)
        self.score_specs = self.scorer.score_specs
        if not self.scorer.metrics:
            raise ConfigurationError(
                "metric names nothing that applies to these data: "
                + "; ".join(f"{name}: {why}" for name, why in self.skipped_metrics.items())
            )
        if primary is not None and primary not in self.score_specs:
            raise ConfigurationError(
                f"report.primary must be null or one of {', '.join(self.score_specs)} for these data, "
                f"got {primary!r}"
            )
        draws = [draw for draw in torch.split(training, self.count)[:_REAL_DRAWS] if len(draw) == self.count]
        self.real_data_draws = [self.score(self._extract_real(data, draw)) for draw in draws]
        defined = (name for name, score in self.real_data_scores.items() if score is not None)
        self.primary = primary or next(defined, next(iter(self.score_specs)))

    @property
    def real_data_scores(self) -> Scores:
        """What real data score: the mean over draws, None if one of them is not defined."""
        means: Scores = {}
        for name in self.score_specs:
            draws = [value for scores in self.real_data_draws if (value := scores[name]) is not None]
            means[name] = sum(draws) / len(draws) if len(draws) == len(self.real_data_draws) else None
        return means

    def __call__(
        self,
        generate: Callable[[Tensor], Tensor],
        seed: int,
        on_failure: OnFailure | None = None,
    ) -> Scores:
        """Score a generator, latents (n, L) -> samples (n, *shape), on the noise of its seed.

        A metric that fails is passed to ``on_failure`` with its name, and its scores are left out; without
        ``on_failure`` it raises `ConfigurationError`.
        """
        latents = self.latents(seed).to(self.data.device)
        parts = []
        for chunk, z in enumerate(torch.split(latents, CHUNK)):
            with seeded(seed, "generate/evaluation", chunk, self.data.device):
                samples = generate(z)
            parts += self.extract([samples])
        return self.score(parts, on_failure)

    def latents(self, seed: int) -> Tensor:
        """Draw the noise (count, L) that a seed's generator is measured on, the same at every call."""
        return torch.randn(self.count, self.latent_size, generator=stream(seed, "evaluation"))

    def extract(self, samples: Iterable[Tensor]) -> list[FeatureBatch]:
        """Extract what metrics see of each seed's generated samples (n, *shape), and read all at once."""
        return self._extract([self.data.quantize(of_seed.float()) for of_seed in samples])

    def score(self, parts: Sequence[FeatureBatch], on_failure: OnFailure | None = None) -> Scores:
        """Score the parts together, see `Scorer`; without ``on_failure`` as `__call__` does."""
        return self.scorer(parts, on_failure or _refuse)

    def summarize(self, last: Scores | None, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Describe scores for ``results.json``: how they were made, and their values for one seed.

        last: the final scores, without those that could not be measured; None for a seed that has diverged,
        whose scores count as the worst. history: lines of its log, for the best and the mean over training.
        """
        return {
            "primary": self.primary,
            "features": {
                "name": self.extractor.name,
                "hash": self.extractor.hash,
                "dimensions": self.extractor.dimensions,
            },
            "samples": {"fake": self.count, "real": self.count, "reference": self.reference},
            "data_fingerprint": self.data.fingerprint,
            "data_samples": len(self.data),
            "skipped_metrics": self.skipped_metrics,
            "metrics": {
                name: {
                    "last": None if last is None else last[name],
                    **_over_training(history, name, spec),
                    "real_data": self.real_data_scores[name],
                    "real_data_draws": [scores[name] for scores in self.real_data_draws],
                    "direction": spec.direction,
                    "worst": spec.worst_value,
                    "meaning": spec.meaning,
                    "range": spec.range,
                    "squared": spec.squared,
                }
                for name, spec in self.score_specs.items()
                if last is None or name in last
            },
        }

    def _extract(self, samples: Iterable[Tensor]) -> list[FeatureBatch]:
        found = [self.extractor(one) for one in samples]
        features = torch.stack([features for features, _ in found]).cpu().double()
        logits = [logits for _, logits in found if logits is not None]
        logits_read = torch.stack(logits).cpu().double() if logits else [None] * len(found)
        return [FeatureBatch(*one, self.data.modes) for one in zip(features, logits_read, strict=True)]

    def _extract_real(self, data: Dataset, rows: Tensor) -> list[FeatureBatch]:
        return [self._extract([data.batch(part)])[0] for part in torch.split(rows, CHUNK)]


def _refuse(name: str, error: BaseException) -> None:
    raise ConfigurationError(f"metric.{name} fails: {summarize_exception(error)}") from error


def build_evaluator(cfg: DictConfig, data: Dataset) -> Evaluator:
    """Build the evaluator that a configuration asks for; its extractor may be trained on first use."""
    if not cfg.get("metric"):
        raise ConfigurationError(
            "metric must name at least one metric while metrics.every is above 0, got none"
        )
    extractor: Extractor = build(cfg, "features", data=data).to(data.device)
    metrics = {str(name): build(cfg, f"metric.{name}") for name in cfg.metric}
    return Evaluator(
        data,
        extractor,
        metrics,
        samples=cfg.metrics.samples,
        latent_size=cfg.model.latent_size,
        primary=cfg.report.primary,
    )


def evaluation_digest(cfg: DictConfig) -> str:
    """Return 16 hexadecimal digits that are the same if scores are made in the same way."""
    return hash_keys(cfg, EVALUATION_KEYS)[:16]


def _over_training(history: Sequence[Mapping[str, Any]], name: str, spec: ScoreSpec) -> dict[str, Any]:
    """Best and mean over all evaluations after step 0; where one was not finite there is no mean."""
    tag = f"metrics/{name}"
    seen = [(line[tag], line["step"]) for line in history if tag in line and line["step"] > 0]
    finite = [pair for pair in seen if pair[0] is not None]
    if not finite:
        return {"best": None, "best_step": None, "mean": None}
    best, step = (min if spec.direction == "min" else max)(finite, key=lambda pair: pair[0])
    mean = sum(value for value, _ in finite) / len(finite) if len(finite) == len(seen) else None
    return {"best": best, "best_step": step, "mean": mean}
