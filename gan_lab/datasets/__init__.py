"""Data sets, in memory or mapped from a file; each tells the networks the shape of its samples.

The names below are public: configuration files and the ``config.yaml`` of every run name them as
``_target_``, or a user's own data are made with them, so they stay, wherever the code behind them moves.
"""

from typing import TYPE_CHECKING

from gan_lab.utils.lazy import lazy_names

if TYPE_CHECKING:
    from gan_lab.datasets.base import Dataset, Images, Points
    from gan_lab.datasets.digits import load_digits
    from gan_lab.datasets.image_folder import load_image_folder
    from gan_lab.datasets.in_memory import load_handed_over
    from gan_lab.datasets.mixtures import make_grid, make_ring
    from gan_lab.datasets.vision import load_celeba, load_stacked_mnist, load_torchvision

__all__ = [
    "Dataset",
    "Images",
    "Points",
    "load_celeba",
    "load_digits",
    "load_handed_over",
    "load_image_folder",
    "load_stacked_mnist",
    "load_torchvision",
    "make_grid",
    "make_ring",
]

# Lazily: stamps of files need no torch, and a ring needs no torchvision.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Dataset": "base",
        "Images": "base",
        "Points": "base",
        "load_celeba": "vision",
        "load_digits": "digits",
        "load_handed_over": "in_memory",
        "load_image_folder": "image_folder",
        "load_stacked_mnist": "vision",
        "load_torchvision": "vision",
        "make_grid": "mixtures",
        "make_ring": "mixtures",
    },
)
