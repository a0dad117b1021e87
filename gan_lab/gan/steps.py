"""Algorithm 1 of Goodfellow et al. (2014), *Generative Adversarial Nets*: one turn of each player.

Both losses are written for one generator, one discriminator and one batch. They know nothing of seeds,
optimizers, configuration or logs; `gan_lab.training.engines` lifts them to many seeds and takes the steps.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from gan_lab.gan.augmentations import Augmentation
from gan_lab.gan.objectives import Objective
from gan_lab.gan.regularizers import Regularizer

PLAYERS = ("generator", "discriminator")


class Batch(NamedTuple):
    """What one turn is played with; everything random in a turn is in here.

    real: (B, *shape) data; latent: (B, L), z ~ N(0, I); uniforms: (B, U), numbers in [0, 1).
    """

    real: Tensor
    latent: Tensor
    uniforms: Tensor


@dataclass(frozen=True)
class GANLoss:
    """The rules both players share: V(D, G), what is added to it, and how D's inputs are augmented."""

    objective: Objective
    regularizer: Regularizer
    augmentation: Augmentation

    @property
    def uniforms(self) -> int:
        """How many uniform numbers per sample a turn needs."""
        return 2 * self.augmentation.uniforms + self.regularizer.uniforms

    def split(self, uniforms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shares of (B, U): for augmenting real, for augmenting fake, and for the regularizer."""
        n = self.augmentation.uniforms
        return uniforms[:, :n], uniforms[:, n : 2 * n], uniforms[:, 2 * n :]


Scalars = dict[str, Tensor]
LossFn = Callable[[nn.Module, nn.Module, GANLoss, Batch], tuple[Tensor, Scalars]]


class GAN(nn.Module):
    """One generator and its discriminator; calling it computes a loss with whatever parameters it holds."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator

    def forward(self, loss_fn: LossFn, game: GANLoss, batch: Batch) -> tuple[Tensor, Scalars]:
        return loss_fn(self.generator, self.discriminator, game, batch)


def discriminator_loss(
    generator: nn.Module, discriminator: nn.Module, game: GANLoss, batch: Batch
) -> tuple[Tensor, Scalars]:
    """D ascends V(D, G): the scalar loss to descend in D's parameters, and detached scalars to log."""
    u_real, u_fake, u_penalty = game.split(batch.uniforms)
    with torch.no_grad(), no_buffer_updates(generator):
        fake = game.augmentation.fake(generator(batch.latent).float(), u_fake)
        real = game.augmentation.real(batch.real, u_real)
    real_logits = discriminator(real).float()
    fake_logits = discriminator(fake).float()
    loss = game.objective.discriminator_loss(real_logits, fake_logits)
    # Gradients of gradients lose too much in bfloat16: penalties are always in full precision.
    with no_buffer_updates(discriminator), torch.autocast(real.device.type, enabled=False):
        penalty = game.regularizer(discriminator, real, fake, u_penalty)
    with torch.no_grad():
        numbers = {
            "loss/discriminator": loss.detach(),
            "loss/penalty": penalty.detach(),
            "logits/real": real_logits.mean(),
            "logits/fake": fake_logits.mean(),
            "probability/real": real_logits.sigmoid().mean(),
            "probability/fake": fake_logits.sigmoid().mean(),
            "accuracy/real": (real_logits > 0).float().mean(),
            "accuracy/fake": (fake_logits < 0).float().mean(),
        }
        numbers["accuracy/discriminator"] = (numbers["accuracy/real"] + numbers["accuracy/fake"]) / 2
    return loss + penalty, numbers


def generator_loss(
    generator: nn.Module, discriminator: nn.Module, game: GANLoss, batch: Batch
) -> tuple[Tensor, Scalars]:
    """G descends its loss: the scalar to descend in G's parameters, and detached scalars to log."""
    u_real, u_fake, _ = game.split(batch.uniforms)
    fake = game.augmentation.fake(generator(batch.latent).float(), u_fake)
    with no_buffer_updates(discriminator):
        fake_logits = discriminator(fake).float()
        real_logits = None
        if game.objective.relativistic:
            real_logits = discriminator(game.augmentation.real(batch.real, u_real)).float()
    loss = game.objective.generator_loss(fake_logits, real_logits)
    return loss, {"loss/generator": loss.detach()}


@contextmanager
def no_buffer_updates(network: nn.Module) -> Iterator[None]:
    """Let a network compute as in training without writing its running statistics.

    A turn changes only the network whose turn it is: its parameters, and buffers such as BatchNorm's
    means or spectral normalization's vectors, which say by ``track_running_stats`` that they are kept.
    """
    keepers = [m for m in network.modules() if getattr(m, "track_running_stats", False)]
    for module in keepers:
        module.track_running_stats = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in keepers:
            module.track_running_stats = True  # type: ignore[assignment]
