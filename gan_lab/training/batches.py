"""What each step is played with: data, noise and uniform numbers for every seed, drawn ahead in blocks."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from gan_lab.datasets.base import Dataset
from gan_lab.gan.steps import Batch
from gan_lab.utils.seeding import stream

# Drawing for many steps in one call makes the cost of seeding and launching disappear; the limit keeps one
# seed's block at 4 MiB. Both belong to the definition of the streams: changing them changes every run.
STEPS_PER_BLOCK = 64
NUMBERS_PER_BLOCK = 2**20


class Batches:
    """The turns of any step, as functions of the step's number.

    Each seed sees the data in its own order: shuffled anew every epoch, batches running on across epochs.
    The generator's turn sees the real batch of the last discriminator turn before it (relativistic losses
    pair them); its noise is its own.
    """

    def __init__(
        self,
        data: Dataset,
        seeds: Sequence[int],
        *,
        batch_size: int,
        latent_size: int,
        uniforms: int,
        discriminator_steps: int,
        device: torch.device,
    ) -> None:
        self.data, self.seeds, self.device = data, list(seeds), device
        self.batch_size, self.latent_size, self.uniforms = batch_size, latent_size, uniforms
        self.reals, self.turns = discriminator_steps, discriminator_steps + 1
        per_step = self.turns * batch_size * max(latent_size, uniforms, 1)
        self.block_steps = max(1, min(STEPS_PER_BLOCK, NUMBERS_PER_BLOCK // per_step))
        self._block = -1
        # One thread reads from the disk what the next step takes.
        self._threads = ThreadPoolExecutor(1, "data")
        self._ahead: Future[list[Tensor]] | None = None
        self._ahead_of = (-1, -1)
        self._permutations: dict[int, tuple[int, Tensor]] = {}

    def __call__(self, step: int) -> tuple[list[Batch], Batch]:
        """The discriminator's batches of this step and the generator's, each with leading (S, B)."""
        block, offset = divmod(step, self.block_steps)
        if block != self._block:
            self._draw(block)
        reals = [self.data.to_device(part) for part in self._gathered(offset)]
        turns = [
            Batch(real, self._latent[:, offset, i], self._uniforms[:, offset, i])
            for i, real in enumerate([*reals, reals[-1]])
        ]
        return turns[:-1], turns[-1]

    def _gathered(self, offset: int) -> list[Tensor]:
        """Raw data of one step in this block; where they are away, those of the next step are begun."""
        ahead = self._ahead if self._ahead_of == (self._block, offset) else None
        gathered = ahead.result() if ahead is not None else self._gather(self._order[:, offset])
        if self.data.is_offloaded and offset + 1 < self.block_steps:
            self._ahead = self._threads.submit(self._gather, self._order[:, offset + 1])
            self._ahead_of = (self._block, offset + 1)
        return gathered

    def _gather(self, indices: Tensor) -> list[Tensor]:
        return [self.data.fetch(indices[:, i]) for i in range(self.reals)]

    def keep(self, seeds: Sequence[int]) -> None:
        """Go on with these seeds only; their numbers do not change."""
        self.seeds, self._block, self._ahead_of = list(seeds), -1, (-1, -1)

    def _draw(self, block: int) -> None:
        k, b, device = self.block_steps, self.batch_size, self.device
        latents, uniforms, orders = [], [], []
        for seed in self.seeds:
            noise = stream(seed, "noise", block, device)
            latents.append(torch.randn(k, self.turns, b, self.latent_size, generator=noise, device=device))
            chance = stream(seed, "uniforms", block, device)
            uniforms.append(torch.rand(k, self.turns, b, self.uniforms, generator=chance, device=device))
            count = k * self.reals * b
            orders.append(self._indices(seed, block * count, count).view(k, self.reals, b))
        self._latent, self._uniforms = torch.stack(latents), torch.stack(uniforms)
        self._order = torch.stack(orders)
        if not self.data.is_offloaded:
            self._order = self._order.to(device, non_blocking=True)
        self._block = block

    def _indices(self, seed: int, start: int, count: int) -> Tensor:
        """Places ``start`` to ``start + count`` of the seed's endless shuffled walk through the data."""
        pieces, size = [], len(self.data)
        while count > 0:
            epoch, offset = divmod(start, size)
            piece = self._permutation(seed, epoch)[offset : offset + count]
            pieces.append(piece)
            start, count = start + len(piece), count - len(piece)
        return torch.cat(pieces)

    def _permutation(self, seed: int, epoch: int) -> Tensor:
        if self._permutations.get(seed, (-1, None))[0] != epoch:
            order = torch.randperm(len(self.data), generator=stream(seed, "order", epoch))
            self._permutations[seed] = (epoch, order)
        return self._permutations[seed][1]
