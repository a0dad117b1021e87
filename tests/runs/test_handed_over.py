"""Classes and images that Python code hands over instead of names."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.core.config_store import ConfigStore
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from gan_lab import GanLabError, Study, load, train_run
from gan_lab.datasets import in_memory
from tests.helpers.experiments import UNMEASURED
from tests.helpers.handed_over import Discriminator, Generator

SMALL = ("steps=2", "batch_size=8", "samples.every=0", *UNMEASURED)
WIDTHS = ("model.generator.width=4", "model.discriminator.width=4", "model.latent_size=4")


def images(number: int = 40) -> Tensor:
    """(N, 1, 8, 8) uint8, with both black and white."""
    drawn = torch.randint(0, 256, (number, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    drawn[0, 0, 0, 0], drawn[0, 0, 0, 1] = 0, 255
    return drawn.to(torch.uint8)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x,
        lambda x: x.permute(0, 2, 3, 1),
        lambda x: x.squeeze(1).numpy(),
        lambda x: x.double() / 255,
        lambda x: x.float() / 127.5 - 1,
        lambda x: TensorDataset(x),
        lambda x: tuple(image.permute(1, 2, 0).numpy() for image in x),
    ],
)
def test_the_same_images_in_any_form_are_the_same_data(form: Any) -> None:
    digest = in_memory.keep(form(images()))
    assert digest == in_memory.keep(images())
    torch.testing.assert_close(in_memory.load_handed_over(digest).data, images(), rtol=0, atol=0)


def test_other_images_or_labels_are_other_data() -> None:
    other = images()
    other[-1, 0, -1, -1] ^= 1
    labels = torch.arange(40) % 2
    digests = {in_memory.keep(data) for data in (images(), other, TensorDataset(images(), labels))}
    assert len(digests) == 3
    labeled = in_memory.load_handed_over(in_memory.keep(TensorDataset(images(), labels)))
    assert labeled.labels is not None
    assert labeled.labels.tolist() == labels.tolist()


def test_labels_of_one_class_are_as_none() -> None:
    one_class = TensorDataset(images(), torch.full((40,), 7))
    assert in_memory.keep(one_class) == in_memory.keep(images())
    assert in_memory.load_handed_over(in_memory.keep(one_class)).labels is None


def test_the_range_of_floats_is_said(caplog: pytest.LogCaptureFixture) -> None:
    in_memory.keep(images().float() / 255)
    assert "float images are taken as in [0, 1]: 0 is black, 1 is white" in caplog.text
    in_memory.keep(images().float() / 127.5 - 1)
    assert "float images are taken as in [-1, 1]: -1 is black, 1 is white" in caplog.text


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (images().float(), r"float images must lie in \[0, 1\] or in \[-1, 1\], got 0 to 255"),
        (images().float() * torch.nan, r"\[-1, 1\], got nan to nan"),
        (images().long(), "dataset must be uint8, or float .* got torch.int64"),
        (torch.rand(5, 2), r"with 1 or 3 channels, got the shape \(5, 2\)"),
        (torch.rand(5, 4, 8, 8), r"got the shape \(5, 4, 8, 8\)"),
        (3, "dataset must be images or a data set of torch with items, got int"),
        ((np.zeros((8, 8)), np.zeros((9, 9))), "dataset has images of several sizes or dtypes"),
    ],
)
def test_what_are_no_images_is_refused(data: Any, sentence: str) -> None:
    with pytest.raises(GanLabError, match=sentence):
        train_run(SMALL, dataset=data)
    assert not Path("outputs").exists()


def test_a_run_on_images_knows_them_and_resumes() -> None:
    run = train_run([*SMALL, *WIDTHS], dataset=images())
    again = train_run([*SMALL, *WIDTHS, "steps=4"], dataset=images().permute(0, 2, 3, 1))
    assert (again.folder, again.status.step) == (run.folder, 4)
    straight = train_run([*SMALL, *WIDTHS, "steps=4", "study=straight"], dataset=images())
    weights = [(one.folder / "seed_0/generator.safetensors").read_bytes() for one in (again, straight)]
    assert weights[0] == weights[1]
    other = train_run([*SMALL, *WIDTHS], dataset=255 - images())
    assert other.status.identity != run.status.identity
    assert load(run.folder).sample(2).shape == (2, 1, 8, 8)


def test_where_the_images_are_not_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    run = train_run([*SMALL, *WIDTHS], dataset=images())
    monkeypatch.setattr(in_memory, "_kept", {})
    with pytest.raises(GanLabError, match=r"was handed over in Python .* hand the same data over again"):
        in_memory.load_handed_over(run.cfg.dataset.digest)


def test_classes_stand_for_activations() -> None:
    steep = partial(nn.LeakyReLU, negative_slope=0.7)
    runs = Study("classes").train([*SMALL, *WIDTHS, "dataset.size=8"], activation=[nn.Softsign, steep, "elu"])
    assert [dict(run.cfg.activation) for run in runs] == [
        {"_target_": "torch.nn.modules.activation.Softsign"},
        {"_target_": "torch.nn.modules.activation.LeakyReLU", "negative_slope": 0.7},
        {"_target_": "torch.nn.ELU", "alpha": 1.0},
    ]
    entries = ConfigStore.instance().repo.get("activation", {})
    assert not [name for name in entries if "torch" in name]  # no trace for other programs of Hydra


def test_classes_stand_for_networks() -> None:
    run = train_run(
        [*SMALL, "dataset.size=8"],
        generator=partial(Generator, width=8),
        discriminator=Discriminator,
        activation="elu",
        model__latent_size=4,
    )
    assert run.cfg.model.generator.network == {
        "_target_": "tests.helpers.handed_over.Generator",
        "width": 8,
    }
    assert run.status.sites["generator"].startswith("Generator, swaps 1 of 2 sites")


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        ({"activation": nn.ReLU()}, r"activation must be a class, or functools.partial .* got ReLU\(\)"),
        ({"activation": partial(nn.LeakyReLU, 0.1)}, "functools.partial of one with keywords"),
        ({"generator": Generator}, "discriminator must be a class"),
    ],
)
def test_what_is_no_class_is_refused(choices: dict[str, Any], sentence: str) -> None:
    with pytest.raises(GanLabError, match=sentence):
        train_run(SMALL, **choices)


def test_a_class_that_nobody_could_import_is_refused() -> None:
    class Local(nn.Module):
        pass

    with pytest.raises(GanLabError, match=r"<locals>\.Local cannot be imported by another process"):
        train_run(SMALL, activation=Local)
