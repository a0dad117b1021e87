"""Objectives against binary cross-entropy as torch has it, and against published formulas in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.func import vmap

from gan_lab.gan.objectives import Minimax, NonSaturating, Objective
from gan_lab.utils.paths import config_dir
from tests.helpers.experiments import choices

NAMES = choices("objective")


def build(name: str) -> Objective:
    objective: Objective = instantiate(OmegaConf.load(config_dir() / "objective" / f"{name}.yaml"))
    return objective


def logits(seed: int = 0) -> tuple[Tensor, Tensor]:
    stream = torch.Generator().manual_seed(seed)
    return tuple(2 * torch.randn(2, 50, generator=stream, dtype=torch.float64))  # type: ignore[return-value]


def losses(objective: Objective, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    seen = real if objective.relativistic else None
    return objective.discriminator_loss(real, fake), objective.generator_loss(fake, seen)


def sp(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


Loss = Callable[[np.ndarray, np.ndarray], np.floating]
# name: discriminator loss and generator loss of (real, fake)
PUBLISHED: dict[str, tuple[Loss, Loss]] = {
    "minimax": (
        lambda r, f: -np.log(1 / (1 + np.exp(-r))).mean() - np.log(1 - 1 / (1 + np.exp(-f))).mean(),
        lambda r, f: np.log(1 - 1 / (1 + np.exp(-f))).mean(),
    ),
    "non_saturating": (
        lambda r, f: -np.log(1 / (1 + np.exp(-r))).mean() - np.log(1 - 1 / (1 + np.exp(-f))).mean(),
        lambda r, f: -np.log(1 / (1 + np.exp(-f))).mean(),
    ),
    "least_squares": (
        lambda r, f: 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean(),
        lambda r, f: 0.5 * ((f - 1) ** 2).mean(),
    ),
    "hinge": (
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda r, f: -f.mean(),
    ),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "relativistic": (lambda r, f: sp(-(r - f)).mean(), lambda r, f: sp(-(f - r)).mean()),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_losses_are_the_published_formulas(name: str) -> None:
    real, fake = logits()
    for loss, formula in zip(losses(build(name), real, fake), PUBLISHED[name], strict=True):
        assert loss.item() == pytest.approx(formula(real.numpy(), fake.numpy()), rel=1e-10)


def test_both_objectives_of_the_paper_are_binary_cross_entropy() -> None:
    real, fake = logits()
    ones, zeros = torch.ones_like(real), torch.zeros_like(fake)
    for bce, of in ((nn.BCEWithLogitsLoss(), torch.clone), (nn.BCELoss(), torch.sigmoid)):
        expected = bce(of(real), ones) + bce(of(fake), zeros)
        for objective in (Minimax(), NonSaturating()):
            torch.testing.assert_close(objective.discriminator_loss(real, fake), expected)
        torch.testing.assert_close(NonSaturating().generator_loss(fake, None), bce(of(fake), ones))
        torch.testing.assert_close(Minimax().generator_loss(fake, None), -bce(of(fake), zeros))


def test_at_equilibrium_the_value_is_minus_log_four() -> None:
    """Goodfellow et al. (2014), theorem 1: D = 1/2 everywhere, V(D, G) = -log 4."""
    undecided = torch.zeros(8)
    assert -Minimax().discriminator_loss(undecided, undecided).item() == pytest.approx(-np.log(4))


def test_minimax_players_share_one_value_function() -> None:
    """G descends the V that D ascends: in the fake logits the two gradients are opposite."""
    real, fake = (x.requires_grad_() for x in logits())
    (ascended,) = torch.autograd.grad(-Minimax().discriminator_loss(real, fake), fake)
    (descended,) = torch.autograd.grad(Minimax().generator_loss(fake, None), fake)
    torch.testing.assert_close(ascended, descended)


@pytest.mark.parametrize(
    ("logit", "saturating", "flipped"), [(-5, 6.7e-3, 0.993), (-10, 4.5e-5, 1.0), (-20, 2.1e-9, 1.0)]
)
def test_only_the_minimax_generator_saturates(logit: float, saturating: float, flipped: float) -> None:
    def pull(objective: Objective) -> float:
        fake = torch.tensor([logit], requires_grad=True, dtype=torch.float64)
        objective.generator_loss(fake, None).backward()
        assert fake.grad is not None
        return -fake.grad.item()

    assert pull(Minimax()) == pytest.approx(saturating, rel=0.02)
    assert pull(NonSaturating()) == pytest.approx(flipped, abs=5e-4)
    assert pull(Minimax()) == pytest.approx(1 / (1 + np.exp(-logit)))
    assert pull(NonSaturating()) == pytest.approx(1 - 1 / (1 + np.exp(-logit)))


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_is_finite_where_a_discriminator_is_certain(name: str) -> None:
    for sign in (1, -1):
        real = torch.full((4,), sign * 1000.0, requires_grad=True)
        fake = torch.full((4,), -sign * 1000.0, requires_grad=True)
        for loss in losses(build(name), real, fake):
            assert loss.shape == ()
            assert loss.isfinite()
            found = torch.autograd.grad(loss, (real, fake), allow_unused=True)
            assert all(g.isfinite().all() for g in found if g is not None)


@pytest.mark.parametrize("name", ["minimax", "non_saturating", "relativistic"])
def test_losses_grow_linearly_where_a_sigmoid_is_already_exact(name: str) -> None:
    real, fake = torch.full((3,), -1000.0), torch.full((3,), 1000.0)
    expected = 2000.0  # both terms are 1000; for a pair the difference is 2000
    assert build(name).discriminator_loss(real, fake).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_every_entry_pulls_the_two_logits_apart_and_fake_up(name: str) -> None:
    objective = build(name)
    real, fake = (x.requires_grad_() for x in (torch.full((5,), 0.3), torch.full((5,), -0.3)))
    d_loss, g_loss = losses(objective, real, fake)
    up, down = torch.autograd.grad(d_loss, (real, fake))
    assert (up < 0).all()
    # Least squares wants fake logits at 0, all others lower and lower.
    assert (down < 0).all() if name == "least_squares" else (down > 0).all()
    (better,) = torch.autograd.grad(g_loss, fake)
    assert (better < 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_many_seeds_at_once_are_each_alone(name: str) -> None:
    objective = build(name)
    pairs = [logits(seed) for seed in range(3)]
    together = vmap(lambda r, f: losses(objective, r, f))(*map(torch.stack, zip(*pairs, strict=True)))
    alone = [torch.stack(x) for x in zip(*(losses(objective, *pair) for pair in pairs), strict=True)]
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b)
