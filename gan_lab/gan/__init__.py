"""The GAN itself, in plain PyTorch: networks, losses and the two steps of Algorithm 1.

Nothing here knows of configuration, files or seeds. The names below are public: configuration files and the
``config.yaml`` of every run name them as ``_target_``, so they stay, wherever the code behind them moves.
"""

from gan_lab.gan.activations import AsWritten, ShiftedSoftplus, Snake
from gan_lab.gan.augmentations import DiffAugment, Flip
from gan_lab.gan.clipping import ClipNorm, ClipValue
from gan_lab.gan.initialization import (
    init_dcgan,
    init_glorot,
    init_kaiming,
    init_matched,
    init_orthogonal,
    init_own,
)
from gan_lab.gan.learning_rates import CosineDecay, ExponentialDecay, LinearDecay, WarmUp
from gan_lab.gan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from gan_lab.gan.models.mlp import MaxoutDiscriminator, MLPDiscriminator, MLPGenerator
from gan_lab.gan.models.own import OwnDiscriminator, OwnGenerator
from gan_lab.gan.models.resnet import ResNetDiscriminator, ResNetGenerator
from gan_lab.gan.objectives import Hinge, LeastSquares, Minimax, NonSaturating, Relativistic, Wasserstein
from gan_lab.gan.regularizers import R1, R1R2, GradientPenalty

__all__ = [
    "R1",
    "R1R2",
    "AsWritten",
    "ClipNorm",
    "ClipValue",
    "CosineDecay",
    "DCGANDiscriminator",
    "DCGANGenerator",
    "DiffAugment",
    "ExponentialDecay",
    "Flip",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "LinearDecay",
    "MLPDiscriminator",
    "MLPGenerator",
    "MaxoutDiscriminator",
    "Minimax",
    "NonSaturating",
    "OwnDiscriminator",
    "OwnGenerator",
    "Relativistic",
    "ResNetDiscriminator",
    "ResNetGenerator",
    "ShiftedSoftplus",
    "Snake",
    "WarmUp",
    "Wasserstein",
    "init_dcgan",
    "init_glorot",
    "init_kaiming",
    "init_matched",
    "init_orthogonal",
    "init_own",
]
