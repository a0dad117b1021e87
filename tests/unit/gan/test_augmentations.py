"""Augmentations against a plain loop over pixels, written after the published code."""

from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor
from torch.func import vmap

from gan_lab.config.build import build_or_default
from gan_lab.gan.augmentations import Augmentation, DiffAugment, Flip, NoAugmentation
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices

NAMES = choices("augmentation")
SHAPES = [(1, 8, 8), (3, 8, 8), (3, 16, 12), (2, 7, 7), (1, 28, 28)]


def build(name: str) -> Augmentation:
    """Make an entry, as a run does: an empty one is no augmentation."""
    cfg = OmegaConf.create({"augmentation": OmegaConf.load(config_dir() / "augmentation" / f"{name}.yaml")})
    augmentation: Augmentation = build_or_default(cfg, "augmentation", NoAugmentation())
    return augmentation


def images(shape: tuple[int, ...], number: int = 12, seed: int = 0) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    x = torch.rand(number, *shape, generator=stream, dtype=torch.float64) * 2 - 1
    return x, torch.rand(number, DiffAugment.num_rand, generator=stream, dtype=torch.float64)


def looped(x: np.ndarray, u: np.ndarray, color: bool, translation: bool, cutout: bool) -> np.ndarray:
    """One image (C, H, W), one row of seven draws."""
    channels, height, width = x.shape
    x = x.copy()
    if color:
        x = x + (u[0] - 0.5)
        for row in range(height):
            for column in range(width):
                mean = sum(x[:, row, column]) / channels
                x[:, row, column] = (x[:, row, column] - mean) * (u[1] * 2) + mean
        mean = x.sum() / x.size
        x = (x - mean) * (u[2] + 0.5) + mean
    if translation:
        moved = np.zeros_like(x)
        reach = [int(size * 0.125 + 0.5) for size in (height, width)]
        down, right = (int(u[3 + k] * (2 * reach[k] + 1)) - reach[k] for k in (0, 1))
        for row in range(height):
            for column in range(width):
                if 0 <= row + down < height and 0 <= column + right < width:
                    moved[:, row + down, column + right] = x[:, row, column]
        x = moved
    if cutout:
        sides = [int(size * 0.5 + 0.5) for size in (height, width)]
        starts = [
            int(u[5 + k] * (size + (1 - sides[k] % 2))) - sides[k] // 2
            for k, size in enumerate((height, width))
        ]
        for row in range(starts[0], starts[0] + sides[0]):
            for column in range(starts[1], starts[1] + sides[1]):
                if 0 <= row < height and 0 <= column < width:
                    x[:, row, column] = 0
    return x


SWITCHES = [
    (True, False, False),
    (False, True, False),
    (False, False, True),
    (True, True, True),
    (False,) * 3,
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("switches", SWITCHES)
def test_diffaugment_is_the_plain_loop(shape: tuple[int, ...], switches: tuple[bool, ...]) -> None:
    color, translation, cutout = switches
    x, u = images(shape)
    augmentation = DiffAugment(color=color, translation=translation, cutout=cutout)
    pairs = zip(x.numpy(), u.numpy(), strict=True)
    expected = torch.from_numpy(np.stack([looped(a, b, color, translation, cutout) for a, b in pairs]))
    torch.testing.assert_close(augmentation.real(x, u), expected)
    torch.testing.assert_close(augmentation.fake(x, u), expected)


@pytest.mark.parametrize("end", [0.0, 1 - 2**-24])
@pytest.mark.parametrize("size", [7, 8, 16, 64, 65])
def test_the_ends_of_the_draws_stay_inside(end: float, size: int) -> None:
    """Rounding in float32 must not reach the first shift or square beyond the range."""
    x = torch.ones(1, 1, size, size)
    u = torch.full((1, 7), end, dtype=torch.float32)
    for switches in SWITCHES:
        expected = looped(x[0].double().numpy(), u[0].double().numpy(), *switches)
        torch.testing.assert_close(DiffAugment(*switches).real(x, u)[0], torch.from_numpy(expected).float())


def test_neutral_draws_leave_images_as_they_are() -> None:
    x, _ = images((3, 16, 16))
    neutral = torch.full((12, 7), 0.5, dtype=torch.float64)
    torch.testing.assert_close(DiffAugment(cutout=False).real(x, neutral), x)
    assert torch.equal(DiffAugment(color=False, cutout=False).real(x, neutral), x)
    assert torch.equal(DiffAugment(False, False, False).real(x, neutral), x)


def test_each_uniform_does_one_thing() -> None:
    x, _ = images((3, 16, 16))
    neutral = torch.full((12, 7), 0.5, dtype=torch.float64)

    def moved(index: int, to: float) -> Tensor:
        u = neutral.clone()
        u[:, index] = to
        return DiffAugment(cutout=False).real(x, u)

    torch.testing.assert_close(moved(0, 0.75), x + 0.25)
    gray = x.mean(1, keepdim=True).expand_as(x)
    torch.testing.assert_close(moved(1, 0.0), gray)
    middle = x.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(moved(2, 0.0) - middle, (x - middle) / 2)
    torch.testing.assert_close(moved(3, 0.999)[:, :, 2:], x[:, :, :-2])  # 16 / 8 pixels down
    assert not moved(3, 0.999)[:, :, :2].any()
    torch.testing.assert_close(moved(4, 0.0)[:, :, :, :-2], x[:, :, :, 2:])  # and to the left


def test_grey_images_have_no_saturation() -> None:
    x, u = images((1, 8, 8))
    other = u.clone()
    other[:, 1] = 1 - u[:, 1]
    torch.testing.assert_close(DiffAugment().real(x, u), DiffAugment().real(x, other))


def test_translations_and_squares_are_spread_evenly() -> None:
    number = 4000
    x = torch.ones(number, 1, 8, 8)
    u = torch.rand(number, 7, generator=torch.Generator().manual_seed(0))
    rows = DiffAugment(color=False, cutout=False).real(x, u)[:, 0].amax(2)
    # One pixel up, none, one pixel down, each a third: a missing last row, none, a missing first row.
    for share in (rows[:, -1] == 0, rows.amin(1) == 1, rows[:, 0] == 0):
        assert share.double().mean().item() == pytest.approx(1 / 3, abs=0.03)
    cut = 1 - DiffAugment(color=False, translation=False).real(x, u)[:, 0]
    assert cut.sum((1, 2)).max().item() == 16  # 4 x 4
    # A center lies on one of 9 lines; so many of them bring a square of 4 over each row.
    expected = np.array([3, 4, 4, 4, 4, 4, 4, 3]) / 9
    assert cut.amax(2).mean(0).numpy() == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("shape", [(1, 5, 5), (3, 6, 4)])
def test_diffaugment_is_differentiable_in_the_images(shape: tuple[int, ...]) -> None:
    x, u = images(shape, number=2)
    x.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: DiffAugment().fake(x, u), x)
    assert torch.autograd.gradgradcheck(lambda x: DiffAugment().fake(x.tanh(), u), x)


def test_flip_mirrors_real_images_below_one_half_and_no_fake_ones() -> None:
    x, _ = images((3, 4, 6), number=4)
    u = torch.tensor([[0.0], [0.49], [0.5], [0.99]])
    flipped = Flip().real(x, u)
    expected = np.stack([x[0].numpy()[:, :, ::-1], x[1].numpy()[:, :, ::-1], x[2], x[3]])
    torch.testing.assert_close(flipped, torch.from_numpy(expected))
    assert torch.equal(Flip().fake(x, u), x)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_keeps_shape_and_dtype_and_leaves_its_input_alone(name: str) -> None:
    augmentation = build(name)
    for shape in SHAPES:
        x = images(shape)[0].float()
        u = torch.rand(12, augmentation.num_rand)
        before, numbers = x.clone(), u.clone()
        for out in (augmentation.real(x, u), augmentation.fake(x, u)):
            assert (out.shape, out.dtype) == (x.shape, x.dtype)
        assert torch.equal(x, before)
        assert torch.equal(u, numbers)
        state = torch.get_rng_state()
        assert torch.equal(augmentation.real(x, u), augmentation.real(x, u))
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("name", NAMES)
def test_many_seeds_at_once_are_each_alone(name: str) -> None:
    augmentation = build(name)
    x = torch.stack([images((3, 8, 8), seed=seed)[0] for seed in range(3)])
    u = torch.rand(3, 12, augmentation.num_rand, dtype=torch.float64)
    for method in (augmentation.real, augmentation.fake):
        alone = torch.stack([method(a, b) for a, b in zip(x, u, strict=True)])
        torch.testing.assert_close(vmap(method)(x, u), alone)


@pytest.mark.parametrize("augmentation", [Flip(), DiffAugment()])
def test_points_are_refused_by_name(augmentation: Any) -> None:
    name = type(augmentation).__name__.lower()
    sentence = rf"augmentation={name} works on images, not on points of shape \(2,\)"
    with pytest.raises(ConfigurationError, match=sentence):
        augmentation.real(torch.zeros(4, 2), torch.zeros(4, augmentation.num_rand))


def test_nothing_is_done_to_points_by_default() -> None:
    points = torch.randn(4, 2)
    assert NoAugmentation().real(points, torch.zeros(4, 0)) is points
