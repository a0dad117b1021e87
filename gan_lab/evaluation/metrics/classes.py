"""What a classifier sees in generated images: confidence, and how many of each class."""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec
from gan_lab.evaluation.metrics.modes import kl_to_uniform

CONFIDENT = 0.9
_CONFIDENT_MEANING = (
    "Share of samples that the classifier gives a class, in every channel, with more than 0.9."
)


class ClassProportions(Metric):
    """Class proportions against real ones, confidence, and the classifier score.

    class_kl: KL(p || q) in nats of predicted class proportions, fake p and real q (with one sample of each
    class added to the real ones, so that it is always defined): it sees a class that is missing or rare.
    classifier_score: exp E KL(p(y|x) || p(y)), the Inception Score (Salimans et al. 2016) with this
    classifier in Inception's place, over all samples at once; by torch-fidelity.
    frac_confident: share of samples whose most probable class has more than 0.9; averages of two digits
    pass as either class, but rarely with confidence.
    """

    score_specs: ClassVar[Mapping[str, ScoreSpec]] = {
        "class_kl": ScoreSpec(
            "min",
            None,
            "Divergence of predicted class proportions from real ones, in nats: sees a class that is missing "
            "or rare.",
            "0 to some nats",
        ),
        "classifier_score": ScoreSpec(
            "max",
            1.0,
            "The Inception Score with another classifier: confident on each sample, all classes equally "
            "often. Blind to a lack of variety within a class.",
            "1 to the number of classes",
        ),
        "frac_confident": ScoreSpec("max", 0.0, _CONFIDENT_MEANING, "0 to 1"),
    }

    def why_not_applicable(self, real: FeatureBatch) -> str | None:
        if real.logits is None or real.logits.dim() != 2:
            return "there is no classifier of whole images among these features"
        return None

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        from torch_fidelity.metric_isc import isc_features_to_metric

        assert fake.logits is not None
        assert real.logits is not None
        classes = fake.logits.shape[1]
        p = torch.bincount(fake.logits.argmax(dim=1), minlength=classes).double() / len(fake)
        q = torch.bincount(real.logits.argmax(dim=1), minlength=classes).double() + 1
        q /= q.sum()
        return {
            "class_kl": max(float(torch.xlogy(p, p / q).sum()), 0.0),
            "classifier_score": isc_features_to_metric(fake.logits, splits=1)["inception_score_mean"],
            "frac_confident": _confident(fake.logits),
        }


class StackedModes(Metric):
    """Three digits in three channels: 1,000 modes (Metz et al. 2017, Lin et al. 2018).

    stacked_kl: KL of the predicted triples to uniform, in nats (for real triples about 999 / 2N above what
    their uneven classes give); stacked_modes: how many triples occur; frac_confident: share of samples
    with all three digits above 0.9, without which averages of digits score nearly all modes.
    """

    score_specs: ClassVar[Mapping[str, ScoreSpec]] = {
        "stacked_kl": ScoreSpec(
            "min",
            math.log(1000),
            "How unevenly the samples fall on the 1,000 triples of digits, in nats.",
            "0 (evenly) to 6.91",
        ),
        "stacked_modes": ScoreSpec(
            "max",
            0.0,
            "Triples of digits that occur. Averages of digits score nearly all of them.",
            "0 to 1,000",
        ),
        "frac_confident": ScoreSpec("max", 0.0, _CONFIDENT_MEANING, "0 to 1"),
    }

    def why_not_applicable(self, real: FeatureBatch) -> str | None:
        if real.logits is None or real.logits.dim() != 3:
            return "these images are not stacked digits"
        return None

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        assert fake.logits is not None
        classes = fake.logits.shape[2]
        weights = classes ** torch.arange(fake.logits.shape[1] - 1, -1, -1)
        triples = (fake.logits.argmax(dim=2) * weights).sum(dim=1)
        counts = torch.bincount(triples, minlength=classes ** fake.logits.shape[1]).double()
        return {
            "stacked_kl": kl_to_uniform(counts),
            "stacked_modes": float((counts > 0).sum()),
            "frac_confident": _confident(fake.logits),
        }


def _confident(logits: Tensor) -> float:
    sure = logits.softmax(dim=-1).amax(dim=-1) > CONFIDENT
    return float(sure.flatten(1).all(dim=1).double().mean() if sure.dim() > 1 else sure.double().mean())
