"""How good a generator is, and why: features, metrics on them, and diagnostics of both networks.

The names below are public: configuration files and the ``config.yaml`` of every run name them as
``_target_``, or a user's own classes derive from them, so they stay, wherever the code behind them moves.
"""

from gan_lab.evaluation.diagnostics import Diagnostic, ProbeResult, TensorDiagnostic
from gan_lab.evaluation.diagnostics.gradients import DataGradient, EffectiveRank, GradientNorms
from gan_lab.evaluation.diagnostics.units import UnitHealth
from gan_lab.evaluation.features import (
    Extractor,
    auto_features,
    classifier_features,
    inception_features,
    raw_features,
)
from gan_lab.evaluation.metrics.base import FeatureBatch, Metric, ScoreSpec
from gan_lab.evaluation.metrics.classes import ClassProportions, StackedModes
from gan_lab.evaluation.metrics.distances import FID, KID, SlicedWasserstein
from gan_lab.evaluation.metrics.modes import MixtureModes
from gan_lab.evaluation.metrics.prdc import PRDC

__all__ = [
    "FID",
    "KID",
    "PRDC",
    "ClassProportions",
    "DataGradient",
    "Diagnostic",
    "EffectiveRank",
    "Extractor",
    "FeatureBatch",
    "GradientNorms",
    "Metric",
    "MixtureModes",
    "ProbeResult",
    "ScoreSpec",
    "SlicedWasserstein",
    "StackedModes",
    "TensorDiagnostic",
    "UnitHealth",
    "auto_features",
    "classifier_features",
    "inception_features",
    "raw_features",
]
