"""Scores of generators: features of generated and of held-out real samples, through every metric that fits.

What a score depends on is fixed once and goes with it: the extractor and its hash, the number of samples,
which real ones, and what real training data score against the same held-out samples (the floor).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from gan_lab.config.build import build
from gan_lab.datasets.base import Dataset
from gan_lab.evaluation.features import Extractor
from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec
from gan_lab.runs.naming import hash_keys
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.seeding import stream

CHUNK = 256
Scores = dict[str, float | None]
_Piece = tuple[Tensor, Tensor | None]
# Keys of a configuration that a score depends on, beside the generator.
_KEYS = ("dataset", "features", "metric", "metrics.samples")


class Evaluator:
    """Scores samples against held-out real ones.

    count: how many samples of each; real_data_scores: what real training data score; skipped_metrics:
    metric -> why it does not apply to these data.
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
            raise ConfigurationError(
                f"metrics need at least 2 samples, and dataset {data.name} has {len(data)}"
            )
        self._real = self._evidence_of(real_data, order[: self.count])
        fitting = {name: metric.why_not_applicable(self._real) for name, metric in metrics.items()}
        self.skipped_metrics = {name: why for name, why in fitting.items() if why is not None}
        self.metrics = [metric for name, metric in metrics.items() if name not in self.skipped_metrics]
        self.score_specs: dict[str, ScoreSpec] = {
            n: s for metric in self.metrics for n, s in metric.score_specs.items()
        }
        if not self.metrics:
            raise ConfigurationError(
                "metric holds nothing that suits these data: "
                + "; ".join(f"{name}: {why}" for name, why in self.skipped_metrics.items())
            )
        if primary is not None and primary not in self.score_specs:
            raise ConfigurationError(
                f"report.primary must be null or one of {', '.join(self.score_specs)} for these data, "
                f"got {primary!r}"
            )
        self.primary = primary or next(iter(self.score_specs))
        self.real_data_scores = self._score(self._evidence_of(data, training[: self.count]))

    def __call__(self, generate: Callable[[Tensor], Tensor], seeds: Sequence[int]) -> list[Scores]:
        """Scores of every seed's generator, (S, n, L) latents -> (S, n, *shape).

        A seed sees the same noise at every call. All its scores are None where a sample is not finite.
        """
        shape = (self.count, self.latent_size)
        latent = torch.stack([torch.randn(shape, generator=stream(seed, "evaluation")) for seed in seeds])
        pieces: list[list[_Piece]] = [[] for _ in seeds]
        for z in torch.split(latent, CHUNK, dim=1):
            for own, samples in zip(pieces, generate(z.to(self.data.device)), strict=True):
                own.append(self._piece(self.data.quantize(samples.float())))
        return [self._score(self._evidence(own)) for own in pieces]

    def summarize(self, last: Scores | None, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What ``results.json`` says of scores: how they were made, and their values for one seed.

        last: the final scores; None is a seed that has diverged, and every score as bad as can be. history:
        lines of its log, for the best and the mean over training.
        """
        return {
            "primary": self.primary,
            "features": {
                "name": self.extractor.name,
                "hash": self.extractor.hash,
                "dimensions": self.extractor.dimensions,
            },
            "samples": {"fake": self.count, "real": self.count, "reference": self.reference},
            "skipped_metrics": self.skipped_metrics,
            "metrics": {
                name: {
                    "last": None if last is None else last[name],
                    **_over_training(history, name, spec),
                    "real_data": self.real_data_scores[name],
                    "direction": spec.direction,
                    "worst": spec.worst_value,
                }
                for name, spec in self.score_specs.items()
            },
        }

    def _score(self, fake: FeatureBatch) -> Scores:
        if not fake.finite:
            return dict.fromkeys(self.score_specs)
        found: Scores = {}
        for metric in self.metrics:
            found |= metric(fake, self._real)
        return {n: v if v is not None and math.isfinite(v) else None for n, v in found.items()}

    def _piece(self, samples: Tensor) -> _Piece:
        features, logits = self.extractor(samples)
        return features.cpu().double(), None if logits is None else logits.cpu().double()

    def _evidence(self, pieces: Sequence[_Piece]) -> FeatureBatch:
        logits = [logits for _, logits in pieces if logits is not None]
        features = torch.cat([features for features, _ in pieces])
        return FeatureBatch(features, torch.cat(logits) if logits else None, self.data.modes)

    def _evidence_of(self, data: Dataset, rows: Tensor) -> FeatureBatch:
        return self._evidence([self._piece(data.batch(part)) for part in torch.split(rows, CHUNK)])


def build_evaluator(cfg: DictConfig, data: Dataset) -> Evaluator:
    """The evaluator that a configuration asks for; builds, and on first use trains, its extractor."""
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
    """16 hexadecimal digits that are the same where scores are made in the same way."""
    return hash_keys(cfg, _KEYS)[:16]


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
