"""The classifiers: the one that ships, and the one that is trained for labeled data on first use."""

from pathlib import Path

import pytest
import torch

from gan_lab.datasets.base import Dataset
from gan_lab.datasets.digits import load_digits
from gan_lab.datasets.vision import load_torchvision
from gan_lab.evaluation.features import classifier_features
from gan_lab.evaluation.features.classifier import Classifier, accuracy, fit_classifier, load, recipe_for

REAL_MNIST = Path(__file__).parents[3] / "shared/data"


@pytest.mark.skipif(not (REAL_MNIST / "MNIST").is_dir(), reason="the real MNIST is not beside this checkout")
def test_the_classifier_of_mnist_is_good_enough() -> None:
    from torchvision.datasets import MNIST

    data: Dataset = load_torchvision(MNIST, "mnist", root=str(REAL_MNIST))
    extractor = classifier_features(data)
    assert data.held_out is not None
    assert isinstance(extractor, Classifier)
    assert accuracy(extractor, data.held_out()) > 0.985


def test_the_script_makes_the_shipped_weights() -> None:
    """Within rounding: other processors may sum in another order."""
    data = load_digits(size=16, split="train")
    here = Path("again.safetensors")
    here.write_bytes(fit_classifier(data, recipe_for(data)))
    again = load(here)
    assert accuracy(again, load_digits(split="test")) > 0.97
    shipped = classifier_features(data)
    assert isinstance(shipped, Classifier)
    images = load_digits(split="test").batch(torch.arange(64))
    ours, theirs = again(images)[1], shipped(images)[1]
    assert ours is not None
    assert theirs is not None
    assert (ours.argmax(1) == theirs.argmax(1)).float().mean() > 0.95
