"""Algorithm 1 of Goodfellow et al. (2014), *Generative Adversarial Nets*: what each network's step descends.

Both losses are written for one generator, one discriminator and one batch. They know nothing of seeds,
optimizers, configuration or logs; `gan_lab.training.engines` lifts them to many seeds and takes the steps.
"""

from collections.abc import Callable, Iterator, Mapping
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
    """What one step is computed from; everything random in a step is in here.

    real: (B, *shape) data; latent: (B, L), z ~ N(0, I); rand: (B, U), draws from U(0, 1).
    """

    real: Tensor
    latent: Tensor
    rand: Tensor


@dataclass(frozen=True)
class GANLoss:
    """What both losses are made of: V(D, G), what is added to it, and how D's inputs are augmented."""

    objective: Objective
    regularizer: Regularizer
    augmentation: Augmentation

    @property
    def num_rand(self) -> int:
        """How many draws from U(0, 1) a step needs per sample."""
        return 2 * self.augmentation.num_rand + self.regularizer.num_rand

    def split_rand(self, rand: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split draws (B, U) into those that augment real, those that augment fake, and the regularizer's."""
        n = self.augmentation.num_rand
        return rand[:, :n], rand[:, n : 2 * n], rand[:, 2 * n :]


Scalars = dict[str, Tensor]
LossFn = Callable[[nn.Module, nn.Module, GANLoss, Batch], tuple[Tensor, Scalars]]


def discriminator_loss(
    generator: nn.Module, discriminator: nn.Module, gan_loss: GANLoss, batch: Batch
) -> tuple[Tensor, Scalars]:
    """D ascends V(D, G): the scalar loss to descend in D's parameters, and detached scalars to log."""
    rand_real, rand_fake, rand_penalty = gan_loss.split_rand(batch.rand)
    with torch.no_grad(), no_buffer_updates(generator):
        fake = gan_loss.augmentation.fake(generator(batch.latent).float(), rand_fake)
        real = gan_loss.augmentation.real(batch.real, rand_real)
    real_logits = discriminator(real).float()
    fake_logits = discriminator(fake).float()
    loss = gan_loss.objective.discriminator_loss(real_logits, fake_logits)
    # Gradients of gradients lose too much in bfloat16: penalties are always in full precision.
    with no_buffer_updates(discriminator), torch.autocast(real.device.type, enabled=False):
        penalty = gan_loss.regularizer(discriminator, real, fake, rand_penalty)
    scalars = {"loss/discriminator": loss.detach(), "loss/penalty": penalty.detach()}
    return loss + penalty, scalars | _logit_scalars(real_logits, fake_logits)


def generator_loss(
    generator: nn.Module, discriminator: nn.Module, gan_loss: GANLoss, batch: Batch
) -> tuple[Tensor, Scalars]:
    """G descends its loss: the scalar loss to descend in G's parameters, and detached scalars to log."""
    rand_real, rand_fake, _ = gan_loss.split_rand(batch.rand)
    fake = gan_loss.augmentation.fake(generator(batch.latent).float(), rand_fake)
    with no_buffer_updates(discriminator):
        fake_logits = discriminator(fake).float()
        real_logits = None
        if gan_loss.objective.relativistic:
            real_logits = discriminator(gan_loss.augmentation.real(batch.real, rand_real)).float()
    loss = gan_loss.objective.generator_loss(fake_logits, real_logits)
    return loss, {"loss/generator": loss.detach()}


LOSSES: Mapping[str, LossFn] = {"generator": generator_loss, "discriminator": discriminator_loss}


class GAN(nn.Module):
    """One generator and its discriminator; calling it computes a loss with whatever parameters it holds."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.discriminator = discriminator

    def forward(self, loss_fn: LossFn, gan_loss: GANLoss, batch: Batch) -> tuple[Tensor, Scalars]:
        return loss_fn(self.generator, self.discriminator, gan_loss, batch)


@torch.no_grad()
def _logit_scalars(real_logits: Tensor, fake_logits: Tensor) -> Scalars:
    """Describe logits (B,) of real and of generated samples; accuracy counts the sign of the logit."""
    accuracy_real = (real_logits > 0).float().mean()
    accuracy_fake = (fake_logits < 0).float().mean()
    return {
        "logits/real": real_logits.mean(),
        "logits/fake": fake_logits.mean(),
        "probability/real": real_logits.sigmoid().mean(),
        "probability/fake": fake_logits.sigmoid().mean(),
        "accuracy/real": accuracy_real,
        "accuracy/fake": accuracy_fake,
        "accuracy/discriminator": (accuracy_real + accuracy_fake) / 2,
    }


@contextmanager
def no_buffer_updates(network: nn.Module) -> Iterator[None]:
    """Let a network compute as in training without writing its running statistics.

    A step changes only the network that it trains: its parameters, and buffers such as BatchNorm's means or
    spectral normalization's vectors, which say by ``track_running_stats`` that they are kept.
    """
    modules = [module for module in network.modules() if getattr(module, "track_running_stats", False)]
    for module in modules:
        module.track_running_stats = False  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in modules:
            module.track_running_stats = True  # type: ignore[assignment]
