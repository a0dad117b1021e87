"""InceptionV3 as published scores use it, through torch-fidelity."""

import contextlib
import hashlib
from pathlib import Path

import torch
from torch import Tensor

from gan_lab.evaluation.features.base import Extractor
from gan_lab.utils.errors import DataError, summarize_exception
from gan_lab.utils.files import connect_timeout
from gan_lab.utils.paths import cache_dir
from gan_lab.utils.seeding import seeded

DIGEST = "6726825d"  # the file's name carries the first digits of its SHA-256


class Inception(Extractor):
    """2048 pooled features and 1008 logits of the InceptionV3 of 2015-12-05; gray images are repeated."""

    name = "inception"
    dimensions = 2048

    def __init__(self, weights: Path) -> None:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        try:
            # torch-fidelity unpickles whatever the file holds, so it gets only one that holds tensors alone.
            torch.load(weights, map_location="cpu", weights_only=True)
        except Exception as error:  # of every kind, for a file that is damaged
            reason = summarize_exception(error, bare=True)
            raise DataError(f"{weights} does not hold weights: {reason}") from error
        self.hash = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        with seeded(0, "inception"):  # its first weights are not kept, and shift nobody's noise
            self.network = FeatureExtractorInceptionV3(
                "inception-v3-compat",
                ["2048", "logits_unbiased"],
                feature_extractor_weights_path=str(weights),
                verbose=False,
            )

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:
        images = samples.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        if images.shape[1] == 1:
            images = images.expand(-1, 3, -1, -1)
        features, logits = self.network(images)
        return features, logits

    def to(self, device: torch.device) -> "Inception":
        self.network.to(device)
        return self


def weights_file(given: Path | None) -> Path:
    """The file with the weights: ``given``, or the one in gan-lab's cache folder, downloaded on first use."""
    from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3

    path = given or cache_dir() / "extractors" / URL_INCEPTION_V3.rsplit("/", 1)[-1]
    if given is None and not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with connect_timeout():
                torch.hub.download_url_to_file(URL_INCEPTION_V3, str(path), hash_prefix=DIGEST)
        except Exception as error:  # networks fail in every way
            with contextlib.suppress(OSError):
                path.unlink()
            reason = summarize_exception(error, bare=True)
            raise DataError(
                f"Inception's weights cannot be downloaded ({reason}): "
                f"put {URL_INCEPTION_V3} at {path}, name its place with features.weights, "
                "or take features=classifier"
            ) from error
    # torch-fidelity unpickles what it is given, so only the published file gets there.
    if not path.is_file() or not hashlib.sha256(path.read_bytes()).hexdigest().startswith(DIGEST):
        raise DataError(
            f"{path} is not the file with Inception's weights that torch-fidelity publishes: "
            f"it is at {URL_INCEPTION_V3}; or take features=classifier"
        )
    return path
