"""What every extractor of features is, and the simplest one."""

from abc import ABC, abstractmethod
from math import prod
from typing import Protocol

import torch
from torch import Tensor


class LabeledData(Protocol):
    """What an extractor may know of the data that a GAN is trained on."""

    name: str
    labels: Tensor | None
    classifier: str | None

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def channels(self) -> "LabeledData | None": ...
    def __len__(self) -> int: ...
    def batch(self, indices: Tensor) -> Tensor: ...


class Extractor(ABC):
    """Samples -> features.

    ``name`` and ``hash`` (16 hexadecimal digits) say which; scores with different ones are never compared.
    """

    name: str
    hash: str
    dimensions: int

    @abstractmethod
    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, *shape), images in [-1, 1] -> features (N, d) and logits (N, K), (N, C, K) or None."""

    def to(self, device: torch.device) -> "Extractor":
        """Itself, computing on ``device`` from now on."""
        return self


class Raw(Extractor):
    """Points, or pixels, as they are."""

    name = "raw"

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.dimensions = prod(shape)
        self.hash = "raw" + "x".join(map(str, shape))

    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:
        return samples.flatten(1), None
