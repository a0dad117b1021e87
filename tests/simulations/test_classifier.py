"""The classifier that is trained for labeled data on first use, on real data."""

from pathlib import Path

import pytest

from gan_lab.datasets.base import Dataset
from gan_lab.datasets.vision import load_torchvision
from gan_lab.evaluation.features import classifier_features
from gan_lab.evaluation.features.classifier import Classifier, accuracy

REAL_MNIST = Path(__file__).parents[3] / "shared/data"


@pytest.mark.skipif(not (REAL_MNIST / "MNIST").is_dir(), reason="the real MNIST is not beside this checkout")
def test_the_classifier_of_mnist_is_good_enough() -> None:
    from torchvision.datasets import MNIST

    data: Dataset = load_torchvision(MNIST, "mnist", root=str(REAL_MNIST))
    extractor = classifier_features(data)
    assert data.held_out is not None
    assert isinstance(extractor, Classifier)
    assert accuracy(extractor, data.held_out()) > 0.985
