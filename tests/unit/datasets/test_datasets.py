"""Data sets in memory: indexing, drawing, mixtures, digits, and every YAML file of the group."""

import inspect
import math
import re
import time
from functools import partial
from typing import Any

import pytest
import torch
from hydra.utils import get_method
from omegaconf import OmegaConf
from torch import Tensor

from gan_lab.datasets.base import Images, Points
from gan_lab.datasets.digits import load_digits
from gan_lab.datasets.mixtures import make_grid, make_ring
from gan_lab.utils.errors import ConfigurationError, DataError
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")


def images(n: int = 12, channels: int = 3, height: int = 8, width: int = 8) -> Images:
    generator = torch.Generator().manual_seed(0)
    data = torch.randint(256, (n, channels, height, width), generator=generator, dtype=torch.uint8)
    return Images(data, name="noise")


@pytest.mark.parametrize("name", choices("dataset"))
def test_every_entry_names_a_function_that_accepts_its_keys(name: str) -> None:
    path = config_dir() / "dataset" / f"{name}.yaml"
    node: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    target = get_method(node.pop("_target_"))
    inspect.signature(target).bind(**node)
    assert node["name"] == name
    assert path.read_text().startswith("# ")


def test_bytes_become_minus_one_to_one() -> None:
    data = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    batch = Images(data, name="three").batch(torch.tensor([0, 1, 2]))
    torch.testing.assert_close(batch.flatten(), torch.tensor([-1.0, -0.6, 1.0]))


@pytest.mark.parametrize("leading", [(), (5,), (2, 3), (2, 3, 4)])
def test_batches_keep_the_leading_shape_of_the_indices(leading: tuple[int, ...]) -> None:
    data = images()
    indices = torch.randint(len(data), leading, generator=torch.Generator().manual_seed(1))
    batch = data.batch(indices)
    assert batch.shape == (*leading, 3, 8, 8)
    assert batch.dtype == torch.float32
    flat = [data.data[i].float() / 127.5 - 1 for i in indices.flatten().tolist()]
    torch.testing.assert_close(batch, torch.stack(flat).view(*leading, 3, 8, 8))


def test_a_batch_does_not_change_the_data() -> None:
    data = make_ring(size=10)
    before = data.data.clone()
    data.batch(torch.arange(10)).zero_()
    assert torch.equal(data.data, before)


def test_a_device_without_a_number_is_the_one_with_it() -> None:
    # On a GPU the data lie on "cuda:0" when "cuda" was asked for; "cpu" and "cpu:0" differ likewise.
    data = images().to(torch.device("cpu", 0))
    assert data.batch(torch.tensor([1])).shape == (1, 3, 8, 8)


@gpu
@pytest.mark.parametrize("free", [2**40, 16])
def test_on_cuda_data_move_when_they_fit_and_are_copied_when_not(
    free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (free, free))
    data = images()
    indices = torch.tensor([[0, 3], [5, 1]])
    expected = data.batch(indices)
    moved = data.to(torch.device("cuda"))
    assert moved.data.is_cuda == (free > 1000)
    for where in (indices, indices.cuda()):
        batch = moved.batch(where)
        assert batch.is_cuda
        torch.testing.assert_close(batch.cpu(), expected)


def test_a_fingerprint_is_of_content_and_shape_alone() -> None:
    data = images()
    same = Images(data.data.clone(), name="other", labels=torch.arange(12))
    assert data.fingerprint == same.fingerprint
    assert re.fullmatch("[0-9a-f]{64}", data.fingerprint)
    changed = data.data.clone()
    changed[-1, -1, -1, -1] ^= 1
    others = [changed, data.data[:-1], data.data.flip(0), data.data.transpose(1, 2), data.data.float()]
    prints = {Images(other, name="noise").fingerprint for other in others}
    assert len(prints | {data.fingerprint}) == 6


def test_data_that_are_computed_are_known_by_what_they_come_from() -> None:
    recipes: list[Any] = [
        *(partial(load_digits, **k) for k in ({}, {"size": 8}, {"split": "test"}, {"split": "all"})),
        *(partial(make_ring, **k) for k in ({}, {"std": 0.02}, {"modes": 4}, {"size": 9}, {"data_seed": 1})),
        *(partial(make_grid, **k) for k in ({}, {"side": 8})),
    ]
    prints = [make().fingerprint for make in recipes]
    assert len(set(prints)) == len(recipes)
    assert [make().fingerprint for make in recipes] == prints
    # The same number, typed as YAML may have it.
    assert make_ring(radius=1).fingerprint == make_ring(radius=1.0).fingerprint
    assert make_ring().fingerprint == make_ring(name="x").fingerprint
    # Kept by every run: they stay, whatever becomes of the code.
    assert [make().fingerprint[:8] for make in (load_digits, make_ring, make_grid)] == [
        "576f5e0c",
        "02ec9d4f",
        "eb896e3b",
    ]


def test_empty_data_are_refused() -> None:
    with pytest.raises(DataError, match="dataset nothing is empty"):
        Images(torch.zeros(0, 1, 4, 4, dtype=torch.uint8), name="nothing")


@pytest.mark.parametrize(("width", "times"), [(8, 4), (16, 2), (28, 2), (32, 1), (64, 1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_images_are_near_square_grids(width: int, times: int, channels: int) -> None:
    samples = torch.full((6, channels, width, width), -1.0)
    samples[4] = 1.0  # second row, second column of 2 rows of 3
    picture = images().plot(samples)
    cell = width * times + 2
    assert picture.shape == (3, 2 * cell + 2, 3 * cell + 2)
    assert picture.dtype == torch.uint8
    inside = picture[:, cell + 2 : 2 * cell, cell + 2 : 2 * cell]
    assert (inside == 255).all()
    assert int((picture == 255).sum()) == inside.numel()


def test_pictures_show_diverged_samples() -> None:
    samples = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0]).view(4, 1, 1, 1)
    picture = images().plot(samples.expand(4, 1, 32, 32))
    assert picture[0, 10, 10] == 0
    assert picture[0, 10, 44] == 255
    assert picture[0, 44, 10] == 0
    assert picture[0, 44, 44] == 128
    points = torch.tensor([[float("nan"), 0.0], [1e30, 0.0], [0.0, float("inf")]])
    assert make_ring(size=10).plot(points).shape == (3, 400, 400)


def test_one_image_is_a_picture_too() -> None:
    assert images().plot(torch.zeros(1, 1, 16, 16)).shape[0] == 3


def blue(picture: Tensor) -> Tensor:
    """Where a picture of points shows samples: (H, W) bool."""
    red, green, sky = picture.int()
    return (sky > red + 60) & (sky > green + 20)


def test_pictures_of_points_show_them_where_they_are() -> None:
    data = make_ring(size=100)
    picture = data.plot(torch.tensor([[1.0, 0.0]]).repeat(20, 1))
    assert picture.shape == (3, 400, 400)
    assert picture.dtype == torch.uint8
    rows, columns = blue(picture).nonzero().float().mean(0).tolist()
    # The axes cover 0.13 to 0.98 of the width and 0.07 to 0.92 of the height, from -limit to limit.
    limit = 1.3 + 3 * 0.01
    assert columns == pytest.approx(400 * (0.13 + 0.85 * (1 + 1 / limit) / 2), abs=3)
    assert rows == pytest.approx(400 * (1 - (0.07 + 0.85 / 2)), abs=3)


def test_pictures_of_points_do_not_keep_those_before() -> None:
    data = make_ring(size=100)
    empty = data.plot(torch.full((1, 2), 99.0))
    data.plot(data.batch(torch.arange(100)))
    assert torch.equal(data.plot(torch.full((1, 2), 99.0)), empty)
    assert not blue(empty).any()


def test_pictures_of_points_are_quick() -> None:
    data = make_grid(size=3000)
    samples = data.batch(torch.arange(2500))
    data.plot(samples)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        data.plot(samples)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.2  # about 0.03 where it was written


def circle(modes: int, radius: float) -> Tensor:
    points = [(math.cos(2 * math.pi * k / modes), math.sin(2 * math.pi * k / modes)) for k in range(modes)]
    return radius * torch.tensor(points)


@pytest.mark.parametrize(("modes", "radius", "std"), [(8, 1.0, 0.01), (5, 2.0, 0.3)])
def test_ring_has_the_moments_of_its_formula(modes: int, radius: float, std: float) -> None:
    data = make_ring(modes=modes, radius=radius, std=std)
    assert data.shape == (2,)
    assert len(data) == 100_000
    torch.testing.assert_close(data.centers, circle(modes, radius))
    check_mixture(data, std)
    # Cov = (radius^2 / 2 + std^2) I for equal angles, three or more.
    expected = (radius**2 / 2 + std**2) * torch.eye(2)
    torch.testing.assert_close(data.data.T.cov(), expected, atol=0.02 * radius**2, rtol=0)


@pytest.mark.parametrize(("side", "spacing", "std"), [(5, 2.0, 0.05), (2, 1.0, 0.2)])
def test_grid_has_the_moments_of_its_formula(side: int, spacing: float, std: float) -> None:
    data = make_grid(side=side, spacing=spacing, std=std)
    assert data.centers.shape == (side**2, 2)
    assert data.centers.sum(0).abs().max() < 1e-6
    assert torch.cdist(data.centers, data.centers).fill_diagonal_(9e9).min() == pytest.approx(spacing)
    check_mixture(data, std)
    # Uniform on `side` ticks: spacing^2 (side^2 - 1) / 12.
    expected = (spacing**2 * (side**2 - 1) / 12 + std**2) * torch.eye(2)
    torch.testing.assert_close(data.data.T.cov(), expected, atol=0.02 * spacing**2 * side, rtol=0)


def check_mixture(data: Points, std: float) -> None:
    assert data.labels is not None
    modes = len(data.centers)
    assert len(torch.unique(data.centers, dim=0)) == modes
    counts = torch.bincount(data.labels, minlength=modes).float()
    share = 1 / modes
    sigma = math.sqrt(len(data) * share * (1 - share))
    assert ((counts - len(data) * share).abs() < 5 * sigma).all()
    offsets = data.data - data.centers[data.labels]
    assert offsets.mean(0).abs().max() < 5 * std / math.sqrt(len(data))
    assert offsets.std(0).tolist() == pytest.approx([std, std], rel=0.02)
    inside = (offsets.norm(dim=1) < 3 * std).float().mean().item()
    assert inside == pytest.approx(1 - math.exp(-4.5), abs=0.002)


def test_default_mixtures_are_those_of_pacgan() -> None:
    for data, modes, reach, std in ((make_ring(), 8, 1.0, 0.01), (make_grid(), 25, 4.0, 0.05)):
        assert (len(data.centers), data.std) == (modes, std)
        assert float(data.centers.abs().max()) == pytest.approx(reach)


def test_mixtures_depend_on_their_seed_alone() -> None:
    torch.manual_seed(1)
    first = make_ring(size=50).data
    torch.manual_seed(2)
    assert torch.equal(make_ring(size=50).data, first)
    assert not torch.equal(make_ring(size=50, data_seed=1).data, first)


@pytest.mark.parametrize("make", [make_ring, make_grid])
@pytest.mark.parametrize("value", [0, -1, True, "many", float("nan"), None])
@pytest.mark.parametrize("key", ["std", "size"])
def test_mixtures_refuse_numbers_out_of_range(make: Any, key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"^dataset\.{key} must be .*, got {value!r}$"):
        make(**{key: value})


@pytest.mark.parametrize(
    ("make", "key", "value"),
    [
        (make_ring, "modes", 0),
        (make_ring, "modes", 2.5),
        (make_ring, "radius", 0),
        (make_grid, "side", 0),
        (make_grid, "spacing", -2.0),
    ],
)
def test_mixtures_refuse_layouts_out_of_range(make: Any, key: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"dataset\.{key} must be"):
        make(**{key: value})


def test_digits_are_digits() -> None:
    data = load_digits(split="all")
    assert data.shape == (1, 16, 16)
    assert len(data) == 1797
    assert data.data.dtype == torch.uint8
    assert data.data.max() == 255
    assert data.data.min() == 0
    # Counts of the ten classes as the data's own description at UCI has them.
    assert data.labels is not None
    counts = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert torch.bincount(data.labels).tolist() == counts


def test_a_nearest_centroid_tells_digits_apart() -> None:
    train, test = load_digits(split="train"), load_digits(split="test")
    assert train.labels is not None
    assert test.labels is not None
    x = train.data.flatten(1).float()
    centroids = torch.stack([x[train.labels == k].mean(0) for k in range(10)])
    nearest = torch.cdist(test.data.flatten(1).float(), centroids).argmin(1)
    assert (nearest == test.labels).float().mean() > 0.85


def test_digits_of_their_own_size_are_those_of_scikit_learn() -> None:
    from sklearn import datasets

    data = load_digits(size=8, split="all")
    shades = torch.from_numpy(datasets.load_digits().images)[:, None]
    torch.testing.assert_close(data.data.double(), (shades * 255 / 16).round(), atol=1, rtol=0)


def test_digits_are_split_once_and_for_all() -> None:
    torch.manual_seed(3)
    every, train, test = load_digits(split="all"), load_digits(split="train"), load_digits(split="test")
    assert (len(train), len(test)) == (1200, 597)
    torch.manual_seed(4)
    assert torch.equal(load_digits(split="train").data, train.data)
    both = torch.cat([train.data, test.data]).flatten(1)
    assert torch.equal(torch.unique(both, dim=0), torch.unique(every.data.flatten(1), dim=0))
    assert len(both) == len(every)
    assert not torch.equal(train.data, every.data[:1200])
    assert torch.equal(load_digits().data, train.data)
    assert train.held_out is not None
    assert torch.equal(train.held_out().data, test.data)
    assert every.held_out is None


def test_mixtures_hold_out_other_points_of_the_same_mixture() -> None:
    for make in (make_ring, make_grid):
        data = make(size=2000)
        assert data.held_out is not None
        other = data.held_out()
        assert isinstance(other, Points)
        assert torch.equal(data.centers, other.centers)
        assert len(other) == 2000
        assert torch.isin(other.data, data.data).float().mean() < 0.01


@pytest.mark.parametrize("size", [3, 1025, 16.0, "big", None, True])
def test_digits_refuse_sizes(size: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"dataset\.size must be a whole number from 4 to 1024, got "
    ):
        load_digits(size=size)


@pytest.mark.parametrize("split", ["validation", None, ["train"]])
def test_digits_refuse_splits(split: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"dataset\.split must be one of all, train, test, got "):
        load_digits(split=split)
