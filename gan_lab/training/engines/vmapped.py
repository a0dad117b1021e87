"""Seeds as a batch dimension: one module, the parameters and buffers of all seeds stacked."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.func import functional_call, vmap

from gan_lab.gan.steps import Batch, LossFn, Scalars
from gan_lab.training.engines.base import Networks, SeedGroup, evaluating
from gan_lab.training.engines.optimizers import Clipping
from gan_lab.training.engines.state import generator_state


class VmappedSeeds(SeedGroup):
    """A group of any number of seeds, stacked along a first dimension: every kernel works for all of them.

    The module is only how they are called: its own parameters and buffers stay on the CPU and are never used.
    """

    stacked = True

    def generate(self, latent: Tensor) -> Tensor:
        # Buffers also for those that are not persistent, and so in no state dict.
        state = generator_state(self.buffers) | (self.average or generator_state(self.networks()))
        with evaluating(self.gan.generator) as generator:

            def generate_one(state: dict[str, Tensor], z: Tensor) -> Tensor:
                samples: Tensor = functional_call(generator, state, (z,), tie_weights=False)
                return samples.float()

            return vmap(generate_one, randomness="different")(state, latent)

    @torch.no_grad()
    def all_finite(self) -> Tensor:
        n = len(self.seeds)
        finite = [t.isfinite().reshape(n, -1).all(dim=1) for t in self.networks().values()]
        return torch.stack(finite).all(dim=0)

    def _loss(self, loss_fn: LossFn, batch: Batch) -> tuple[Tensor, Scalars]:
        def loss_of_one(
            params: dict[str, Tensor], buffers: dict[str, Tensor], batch: Batch
        ) -> tuple[Tensor, Scalars]:
            out: tuple[Tensor, Scalars] = functional_call(
                self.gan, (params, buffers), (loss_fn, self.config.gan_loss, batch)
            )
            return out

        losses, scalars = vmap(loss_of_one, randomness="different")(self.params, self.buffers, batch)
        # Seeds share no parameter, so the gradient of the sum is the gradient of each seed's loss.
        return losses.sum(), scalars

    def _of_each(self, clip: Clipping) -> Clipping:
        lifted: Clipping = vmap(clip, randomness="different")
        return lifted

    def _load_networks(self, networks: Sequence[Networks]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        # Weights may be tied: each name in a state dict -> the first name of the same tensor.
        names = {id(t): name for name, t in (*self.gan.named_parameters(), *self.gan.named_buffers())}
        state_dict = self.gan.state_dict(keep_vars=True)
        self._first_names = {name: names[id(t)] for name, t in state_dict.items() if id(t) in names}

        def joined(name: str, template: Tensor) -> Tensor:
            # A buffer that is not persistent is in no state dict: all seeds have the template's.
            return self._join([state.get(name, template) for state in networks])

        params = {
            name: joined(name, param).requires_grad_(param.requires_grad)
            for name, param in self.gan.named_parameters()
        }
        return params, {name: joined(name, buffer) for name, buffer in self.gan.named_buffers()}

    def networks(self) -> dict[str, Tensor]:
        tensors = self.params | self.buffers
        return {name: tensors[first] for name, first in self._first_names.items()}

    def _join(self, tensors: Sequence[Tensor]) -> Tensor:
        # Stacked where they are: one copy to the device, whatever number of seeds.
        return torch.stack([tensor.detach().contiguous() for tensor in tensors]).to(self.config.device)

    def _slice(self, tensor: Tensor, index: int) -> Tensor:
        return tensor[index]
