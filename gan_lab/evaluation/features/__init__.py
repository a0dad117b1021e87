"""Features that metrics compare: one function a choice, (the data of a run) -> its extractor."""

from pathlib import Path

from gan_lab.evaluation.features.base import Extractor, LabeledData, Raw
from gan_lab.utils.errors import ConfigurationError

__all__ = ["Extractor", "auto_features", "classifier_features", "inception_features", "raw_features"]


def auto_features(data: LabeledData) -> Extractor:
    """Points as they are, labeled images through a classifier, other images as pixels."""
    labeled = len(data.shape) == 3 and data.labels is not None
    return classifier_features(data) if labeled else raw_features(data)


def raw_features(data: LabeledData) -> Extractor:
    """The numbers of each sample, in a row."""
    return Raw(data.shape)


def classifier_features(data: LabeledData) -> Extractor:
    """A small convolutional network trained on the data's own labels."""
    from gan_lab.evaluation.features.classifier import classifier_of

    if len(data.shape) != 3 or data.labels is None:
        raise ConfigurationError(
            f"features=classifier needs labeled images, and dataset {data.name} has none: "
            "take features=raw or features=inception"
        )
    return classifier_of(data)


def inception_features(data: LabeledData, weights: str | None = None) -> Extractor:
    """InceptionV3's pooled features and logits; ``weights`` None downloads them on first use."""
    from gan_lab.evaluation.features.inception import Inception, weights_file

    if len(data.shape) != 3:
        raise ConfigurationError(
            f"features=inception needs images, and dataset {data.name} holds points: take features=raw"
        )
    return Inception(weights_file(Path(weights).expanduser() if weights else None))
