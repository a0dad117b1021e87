"""Extractors: what ships, what is trained on first use, and what is said when there is none."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from gan_lab.config.build import build
from gan_lab.datasets.base import Images
from gan_lab.datasets.digits import load_digits
from gan_lab.datasets.mixtures import make_ring
from gan_lab.datasets.vision import StackedDigits
from gan_lab.evaluation import features
from gan_lab.evaluation.features.base import Raw
from gan_lab.evaluation.features.classifier import (
    Classifier,
    SmallCNN,
    accuracy,
    load,
)
from gan_lab.evaluation.features.inception import weights_file
from gan_lab.utils.errors import ConfigurationError, DataError
from tests.helpers.experiments import composed


def stripes(n: int = 300, size: int = 8) -> Images:
    """Two classes, horizontal and vertical stripes, that a classifier must learn at once."""
    labels = torch.arange(n) % 2
    rows = (torch.arange(size) % 2 * 255).to(torch.uint8).expand(size, size)
    noise = torch.randint(0, 60, (n, 1, size, size), generator=torch.Generator().manual_seed(0)).to(
        torch.uint8
    )
    pictures = torch.where(labels.view(-1, 1, 1, 1) == 0, rows, rows.T)
    return Images((pictures // 2 + noise).to(torch.uint8), name="stripes", labels=labels)


def test_the_shipped_classifier_knows_held_out_digits() -> None:
    extractor = features.classifier_features(load_digits())
    assert isinstance(extractor, Classifier)
    assert accuracy(extractor, load_digits(split="test")) > 0.975
    assert Path(features.__file__).with_name("digits.safetensors").stat().st_size < 400_000
    assert len(extractor.hash) == 16
    assert extractor.dimensions == 32


@pytest.mark.parametrize("size", [8, 16, 32])
def test_digits_of_any_size_are_recognized(size: int) -> None:
    extractor = features.classifier_features(load_digits(size=size))
    assert isinstance(extractor, Classifier)
    assert accuracy(extractor, load_digits(size=size, split="test")) > 0.95


def test_others_are_trained_once_and_are_the_same_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = features.classifier_features(stripes())
    (file,) = (tmp_path / "cache/extractors").glob("*.safetensors")
    made = file.stat().st_mtime_ns
    assert features.classifier_features(stripes()).hash == first.hash
    assert file.stat().st_mtime_ns == made
    file.unlink()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert features.classifier_features(stripes()).hash == first.hash
    assert torch.equal(before, torch.get_rng_state())
    assert isinstance(first, Classifier)
    assert accuracy(first, stripes()) > 0.98
    relabeled = stripes()
    assert relabeled.labels is not None
    relabeled.labels = 1 - relabeled.labels
    assert features.classifier_features(relabeled).hash != first.hash


def test_features_do_not_depend_on_the_batch() -> None:
    images = load_digits().batch(torch.arange(50))
    extractor = features.classifier_features(load_digits())
    whole, _ = extractor(images)
    parts = torch.cat([extractor(part)[0] for part in torch.split(images, 7)])
    torch.testing.assert_close(whole, parts)


def test_stacked_digits_are_classified_channel_by_channel() -> None:
    single = stripes()
    triples = torch.tensor([[0, 1, 0], [1, 1, 1], [0, 0, 1]])
    data = StackedDigits(single, triples, name="stacked")
    extractor = features.classifier_features(data)
    found, logits = extractor(data.batch(torch.arange(3)))
    assert logits is not None
    assert logits.shape == (3, 3, 2)
    assert torch.equal(logits.argmax(2), triples % 2)
    assert found.shape == (3, extractor.dimensions)


def test_raw_features_are_the_numbers() -> None:
    extractor = Raw((1, 2, 3))
    x = torch.arange(12.0).view(2, 1, 2, 3)
    found, logits = extractor(x)
    assert torch.equal(found, x.view(2, 6))
    assert logits is None
    assert extractor.dimensions == 6


def test_auto_takes_what_suits_the_data() -> None:
    assert features.auto_features(make_ring(size=50)).name == "raw"
    assert features.auto_features(load_digits()).name == "classifier"
    assert (
        features.auto_features(Images(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), name="mine")).name == "raw"
    )


@pytest.mark.parametrize("make", [features.classifier_features, features.inception_features])
def test_points_have_no_pictures_to_look_at(make: object) -> None:
    with pytest.raises(ConfigurationError, match="dataset ring"):
        make(make_ring(size=50))  # type: ignore[operator]


def test_inception_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", nothing)
    cfg = composed("features=inception")
    with pytest.raises(DataError) as caught:
        build(cfg, "features", data=load_digits())
    text = str(caught.value)
    assert "no route to host" in text
    assert "weights-inception-2015-12-05-6726825d.pth" in text
    assert "features.weights" in text
    assert "features=classifier" in text


def test_a_file_that_is_not_inception_is_never_unpickled(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "executed",))  # type: ignore[return-value]

    path = tmp_path / "weights.pth"
    torch.save(Payload(), path)
    with pytest.raises(DataError, match="is not the file"):
        weights_file(path)
    assert not (tmp_path / "executed").exists()
    with pytest.raises(DataError, match="is not the file"):
        weights_file(tmp_path / "missing.pth")


def test_inception_computes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With random weights in the published layout: shapes, bytes, gray as three channels."""
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    from gan_lab.evaluation.features import inception

    class Bare(theirs.FeatureExtractorInceptionV3):  # type: ignore[misc]
        """The architecture without the file, only to write one."""

        def load_state_dict(self, state: object) -> None:  # type: ignore[override]
            pass

    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
    torch.manual_seed(0)
    state = Bare("x", ["2048"], verbose=False).state_dict()
    path = tmp_path / "weights.pth"
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(inception, "DIGEST", digest[:8])
    extractor = features.inception_features(load_digits(), weights=str(path))
    images = load_digits().batch(torch.arange(2))
    found, logits = extractor(images)
    assert found.shape == (2, 2048)
    assert logits is not None
    assert logits.shape == (2, 1008)
    color, _ = extractor(images.expand(-1, 3, -1, -1))
    torch.testing.assert_close(found, color)
    assert extractor.hash == digest[:16]


def test_a_cache_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GAN_LAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="GAN_LAB_CACHE"):
        features.classifier_features(stripes())


def test_a_network_is_rebuilt_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = SmallCNN(1, 8, 3, 5)
    path = tmp_path / "n.safetensors"
    shape = '{"channels": 1, "size": 8, "classes": 3, "features": 5}'
    path.write_bytes(save(network.state_dict(), metadata={"network": shape}))
    x = torch.rand(4, 1, 8, 8)
    network.eval()
    expected: Tensor = network(x)[1].detach()
    assert torch.equal(load(path)(x)[1], expected)  # type: ignore[arg-type]
