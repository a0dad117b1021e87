"""Data sets as tensors that are indexed where they live."""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gan_lab.utils.checks import check_int
from gan_lab.utils.errors import DataError
from gan_lab.utils.memory import available


class Dataset(ABC):
    """N samples: ``data`` (N, *shape), uint8 images or float32 points; ``labels`` (N,) int64 or None.

    ``data`` may be mapped from a read-only file: it is indexed, never written to. Labels stay on the CPU.
    held_out: makes samples of the same kind that are not trained on, for metrics to compare with.
    channels: where every channel shows a thing of its own, labeled samples of these things.
    classifier: name of the classifier that comes with gan-lab for such samples.
    fingerprint: 64 hexadecimal digits of what the samples are made from, as of `hash_content`; if it is not
    given, of the samples themselves, at the first time that it is read.
    stamp: for a data set that is read from a folder of files, what `data_stamp` says of these files.
    """

    modes: tuple[Tensor, float] | None = None

    def __init__(
        self,
        data: Tensor,
        *,
        name: str,
        labels: Tensor | None = None,
        held_out: "Callable[[], Dataset] | None" = None,
        classifier: str | None = None,
        fingerprint: str | None = None,
        stamp: str | None = None,
    ) -> None:
        if not len(data):
            raise DataError(f"dataset {name} is empty")
        self.data, self.name, self.labels = data, str(name), labels
        self.held_out, self.classifier = held_out, classifier
        self.stamp, self._fingerprint = stamp, fingerprint
        self.channels: Dataset | None = None
        self.device = data.device

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.data.shape[1:])

    def __len__(self) -> int:
        return len(self.data)

    @property
    def fingerprint(self) -> str:
        """What the samples are, as 64 hexadecimal digits: the same data have the same on every machine."""
        if self._fingerprint is None:
            self._fingerprint = hash_content(self.data)
        return self._fingerprint

    def to(self, device: torch.device) -> "Dataset":
        """Have batches made on ``device``; the data move there if they leave half of its memory free."""
        self.device = device
        if device.type != "cuda" or self._bytes < (available(device) or 0) / 2:
            self._move(device)
            self.device = self.data.device  # "cuda" has become "cuda:0", which torch holds for another
        return self

    @property
    def is_offloaded(self) -> bool:
        """Whether the data are elsewhere than on the training device."""
        return self.data.device != self.device

    def batch(self, indices: Tensor) -> Tensor:
        """Samples at ``indices`` (...), as float32 (..., *shape) on the training device."""
        return self.to_device(self.fetch(indices))

    def fetch(self, indices: Tensor) -> Tensor:
        """The first half of `batch`, which a thread may do ahead: raw samples where the data are."""
        fetched = self._fetch(indices.to(self.data.device))
        # From pinned memory the copy runs beside the step that is still computing.
        return fetched.pin_memory() if self.device.type == "cuda" and self.is_offloaded else fetched

    def to_device(self, fetched: Tensor) -> Tensor:
        """The second half of `batch`: raw samples to the training device, as float32."""
        return self._decode(fetched.to(self.device, non_blocking=True))

    @staticmethod
    def quantize(samples: Tensor) -> Tensor:
        """Round generated samples to what their files can hold: images to 256 shades, points not at all."""
        return samples

    @abstractmethod
    def plot(self, samples: Tensor) -> Tensor:
        """Show samples (n, *shape) in one picture, (3, H, W) uint8."""

    @property
    def _bytes(self) -> int:
        return self.data.numel() * self.data.element_size()

    def _move(self, device: torch.device) -> None:
        self.data = self.data.to(device)

    def _fetch(self, indices: Tensor) -> Tensor:
        return self.data[indices]

    def _decode(self, fetched: Tensor) -> Tensor:
        return fetched


def hash_content(*parts: Tensor | np.ndarray | str | int | float | None) -> str:
    """Hash what data are made from: SHA-256 over kind, shape and bytes of every part, 64 hexadecimal digits.

    Samples that are computed (drawn from a mixture, resized) are hashed by what they are computed from:
    their last bits may differ between processors and versions, and the data are the same nevertheless.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, (Tensor, np.ndarray)):
            array = np.ascontiguousarray(part.cpu().numpy() if isinstance(part, Tensor) else part)
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            digest.update(json.dumps([str(array.dtype), *array.shape]).encode())
            digest.update(array.reshape(-1).view(np.uint8).data)
        else:
            digest.update(json.dumps([type(part).__name__, part]).encode())
    return digest.hexdigest()


def check_size(size: object) -> None:
    """Check ``dataset.size``, the height and width of images in pixels."""
    check_int("dataset.size", size, at_least=4, at_most=1024)


class Images(Dataset):
    """``data``: (N, C, H, W) uint8; batches are in [-1, 1]."""

    def _decode(self, fetched: Tensor) -> Tensor:
        return fetched.float().div_(127.5).sub_(1)

    @staticmethod
    def quantize(samples: Tensor) -> Tensor:
        return samples.add(1).mul_(127.5).round_().clamp_(0, 255).div_(127.5).sub_(1)

    @staticmethod
    def plot(samples: Tensor) -> Tensor:
        """Arrange images in a near square grid; small ones are magnified, by a whole factor."""
        # Here, because it takes as long to import as torch, and a finished run draws nothing.
        from torchvision.utils import make_grid

        times = math.ceil(32 / samples.shape[-1])
        pixels = samples.detach().float().cpu().add(1).mul(127.5).round().clamp(0, 255).nan_to_num(0)
        large = pixels.repeat_interleave(times, 2).repeat_interleave(times, 3)
        grid: Tensor = make_grid(large, nrow=math.ceil(math.sqrt(len(large))), padding=2)
        return grid.to(torch.uint8)


class Points(Dataset):
    """``data``: (N, 2) float32 drawn from a mixture of Gaussians at ``centers`` (K, 2), each with ``std``."""

    def __init__(
        self,
        data: Tensor,
        *,
        name: str,
        labels: Tensor,
        centers: Tensor,
        std: float,
        held_out: Callable[[], Dataset] | None = None,
        fingerprint: str | None = None,
    ) -> None:
        super().__init__(data, name=name, labels=labels, held_out=held_out, fingerprint=fingerprint)
        self.centers, self.std = centers, std
        self.modes = (centers, std)

    def plot(self, samples: Tensor) -> Tensor:
        """Scatter points over the true modes, marked by crosses; the axes are those of the data."""
        points = samples.detach().float().cpu().numpy()
        canvas, axes, limit = self._canvas
        cloud = axes.scatter(points[:, 0], points[:, 1], s=6, c="tab:blue", alpha=0.6, linewidths=0)
        outside = int((~(np.abs(points) <= limit)).any(axis=1).sum())  # NaN is outside, too
        note = axes.text(0.02, 0.02, f"{outside} outside" if outside else "", transform=axes.transAxes)
        canvas.draw()
        picture = torch.from_numpy(np.array(canvas.buffer_rgba())[..., :3].copy())
        cloud.remove()
        note.remove()
        return picture.permute(2, 0, 1).contiguous()

    @cached_property
    def _canvas(self) -> tuple[Any, Any, float]:
        # One figure for all pictures, and not pyplot's: no window, no global state, no half second each.
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        limit = 1.3 * float(self.centers.abs().max()) + 3 * self.std
        figure = Figure(figsize=(4, 4), dpi=100)
        canvas = FigureCanvasAgg(figure)
        axes = figure.add_axes((0.13, 0.07, 0.85, 0.85), xlim=(-limit, limit), ylim=(-limit, limit))
        axes.scatter(self.centers[:, 0], self.centers[:, 1], marker="+", c="tab:red", s=60, zorder=3)
        return canvas, axes, limit
