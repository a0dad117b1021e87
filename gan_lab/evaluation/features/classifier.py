"""A small classifier of a data set's own labels: shipped for digits, trained on first use for others.

The features of such a network order images of its kind as people do, without a download; their scale means
nothing outside it, so every score carries the hash of the weights.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from gan_lab.evaluation.features.base import Extractor, LabeledData
from gan_lab.utils.errors import DataError
from gan_lab.utils.files import atomic_write
from gan_lab.utils.paths import cache_dir, to_file_name
from gan_lab.utils.progress import progress_bar
from gan_lab.utils.seeding import seeded, stream

MAX_INPUT_SIZE = 32  # pixels that the network sees; larger images are resized


class SmallCNN(nn.Module):
    """Two 3x3 convolutions, a maximum over 2x2, ``features`` rectified units, linear class logits."""

    def __init__(self, channels: int, size: int, classes: int, features: int, width: int = 16) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * width * (size // 2) ** 2, features),
            nn.ReLU(),
        )
        self.output = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, C, H, W) in [-1, 1] -> features (N, d), logits (N, K)."""
        if images.shape[-2:] != (self.size, self.size):
            images = interpolate(images, size=(self.size, self.size), mode="bilinear", antialias=True)
        features = self.layers(images)
        return features, self.output(features)


class Classifier(Extractor):
    """A trained `SmallCNN`; with ``each_channel``, every channel is an image of its own."""

    name = "classifier"

    def __init__(self, network: SmallCNN, hash: str, *, each_channel: bool, channels: int) -> None:
        self.network, self.hash, self.each_channel = network.eval(), hash, each_channel
        self.dimensions = network.output.in_features * (channels if each_channel else 1)

    @torch.no_grad()
    def __call__(self, samples: Tensor) -> tuple[Tensor, Tensor | None]:
        if not self.each_channel:
            features, logits = self.network(samples)
            return features, logits
        n, channels = samples.shape[:2]
        features, logits = self.network(samples.flatten(0, 1)[:, None])
        return features.view(n, -1), logits.view(n, channels, -1)

    def to(self, device: torch.device) -> "Classifier":
        self.network.to(device)
        return self


def classifier_of(data: LabeledData) -> Classifier:
    """The classifier of ``data``: the one shipped, the one in the cache, or one that is trained now."""
    single = data.channels or data
    if single.classifier is not None:
        path = Path(__file__).with_name(f"{single.classifier}.safetensors")
    else:
        path = _trained(single)
    return load(path, each_channel=data.channels is not None, channels=data.shape[0])


def load(path: Path, *, each_channel: bool = False, channels: int = 1) -> Classifier:
    """The classifier in a file that `fit_classifier` has made."""
    with safe_open(path, framework="pt") as file:
        with seeded(0, "classifier"):  # its first weights are not kept, and shift nobody's noise
            network = SmallCNN(**json.loads(file.metadata()["network"]))
        network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return Classifier(network, _digest(network), each_channel=each_channel, channels=channels)


def _digest(network: SmallCNN) -> str:
    # Of the weights: the same ones are not always written in the same order.
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


def _trained(data: LabeledData) -> Path:
    recipe = recipe_for(data)
    assert data.labels is not None
    digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    digest.update(data.labels.numpy().tobytes())
    digest.update(data.batch(torch.arange(min(len(data), 1000))).cpu().numpy().tobytes())
    folder = cache_dir() / "extractors"
    path = folder / f"{to_file_name(data.name)}-{digest.hexdigest()[:16]}.safetensors"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):  # members of a sweep that start together train one
            if not path.exists():
                atomic_write(path, fit_classifier(data, recipe))
    except OSError as error:
        raise DataError(
            f"the classifier for {data.name} cannot be kept in {folder} ({error.strerror or error}): "
            "set GAN_LAB_CACHE to a folder that can be written"
        ) from error
    return path


def recipe_for(data: LabeledData) -> dict[str, int | float]:
    """How the classifier of ``data`` is trained: small data get fewer features and more epochs."""
    assert data.labels is not None
    small = len(data) < 10_000
    return {
        "channels": data.shape[0],
        "size": min(data.shape[-1], MAX_INPUT_SIZE),
        "classes": int(data.labels.max()) + 1,
        "features": 32 if small else 128,
        "epochs": 20 if small else 3,
        "batch_size": 64 if small else 128,
        "lr": 1e-2 if small else 3e-3,
    }


def fit_classifier(data: LabeledData, recipe: dict[str, int | float]) -> bytes:
    """Adam and a one-cycle learning rate (Smith and Topin 2018) on the CPU: the same bits every time.

    One thread, because the order of sums, and with it the last bits, depends on their number.
    """
    assert data.labels is not None
    labels = data.labels
    size, epochs = int(recipe["batch_size"]), int(recipe["epochs"])
    shape = {k: int(recipe[k]) for k in ("channels", "size", "classes", "features")}
    with _exactly(), seeded(0, "classifier"):
        network = SmallCNN(**shape)
        optimizer = torch.optim.Adam(network.parameters(), lr=recipe["lr"])
        per_epoch = max(len(data) // size, 1)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=recipe["lr"], total_steps=epochs * per_epoch
        )
        with progress_bar(f"classifier for {data.name}, once", total=epochs * per_epoch, unit="step") as bar:
            for epoch in range(epochs):
                order = torch.randperm(len(data), generator=stream(0, "classifier order", epoch))
                for k in range(per_epoch):
                    rows = order[k * size : (k + 1) * size]
                    loss = cross_entropy(network(data.batch(rows).cpu())[1], labels[rows])
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                    cycle.step()
                    bar.update()
    return save(network.state_dict(), metadata={"network": json.dumps(shape), "recipe": json.dumps(recipe)})


@torch.no_grad()
def accuracy(classifier: Classifier, data: LabeledData) -> float:
    """Share of ``data`` whose most probable class is their label."""
    assert data.labels is not None
    right = 0
    for rows in torch.split(torch.arange(len(data)), 256):
        right += int((classifier.network(data.batch(rows))[1].argmax(dim=1) == data.labels[rows]).sum())
    return right / len(data)


@contextmanager
def _exactly() -> Iterator[None]:
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)
