"""Data sets, in memory or mapped from a file; each tells the networks the shape of its samples.

The names below are public: configuration files and the ``config.yaml`` of every run name them as
``_target_``, so they stay, wherever the code behind them moves.
"""

from gan_lab.datasets.digits import load_digits
from gan_lab.datasets.image_folder import load_image_folder
from gan_lab.datasets.mixtures import make_grid, make_ring
from gan_lab.datasets.vision import load_celeba, load_stacked_mnist, load_torchvision

__all__ = [
    "load_celeba",
    "load_digits",
    "load_image_folder",
    "load_stacked_mnist",
    "load_torchvision",
    "make_grid",
    "make_ring",
]
