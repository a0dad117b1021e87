"""One seed by itself: plain modules and the plain training step."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import get_total_norm

from gan_lab.gan.models.own import OwnNetwork
from gan_lab.gan.steps import Batch, LossFn, Scalars
from gan_lab.training.engines.base import Networks, SeedGroup, evaluating
from gan_lab.training.engines.optimizers import Clipping


class SingleSeed(SeedGroup):
    """A group of one seed, whose tensors have no leading dimension."""

    stacked = False

    def generate(self, latent: Tensor) -> Tensor:
        with evaluating(self.gan.generator) as generator:
            samples: Tensor = functional_call(generator, self.average, (latent[0],), tie_weights=False)
            return samples.float()[None]

    @torch.no_grad()
    def all_finite(self) -> Tensor:
        floats = [tensor for tensor in self.networks().values() if tensor.is_floating_point()]
        return get_total_norm(floats, math.inf).isfinite()[None]

    def _loss(self, loss_fn: LossFn, batch: Batch) -> tuple[Tensor, Scalars]:
        loss, scalars = self.gan(loss_fn, self.config.gan_loss, Batch(*(part[0] for part in batch)))
        return loss, {name: value[None] for name, value in scalars.items()}

    def _of_each(self, clip: Clipping) -> Clipping:
        return clip

    def _load_networks(self, networks: Sequence[Networks]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        # Loaded where the state is, on the CPU unless another engine had it, so that it moves only once.
        self.gan.to(next(iter(networks[0].values())).device).load_state_dict(networks[0])
        # Networks that gan-lab did not write may call `view`, which wants the usual layout.
        own = any(isinstance(module, OwnNetwork) for module in self.gan.children())
        if has_convolutions(self.gan) and not own:
            self.gan.to(memory_format=torch.channels_last)
        self.gan.to(self.config.device)
        return dict(self.gan.named_parameters()), dict(self.gan.named_buffers())

    def networks(self) -> dict[str, Tensor]:
        return dict(self.gan.state_dict())

    def _join(self, tensors: Sequence[Tensor]) -> Tensor:
        return tensors[0].to(self.config.device, copy=True)

    def _slice(self, tensor: Tensor, index: int) -> Tensor:
        return tensor


def has_convolutions(network: nn.Module) -> bool:
    """Whether a network contains a convolution of any kind."""
    return any(isinstance(module, nn.modules.conv._ConvNd) for module in network.modules())
