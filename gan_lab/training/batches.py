"""What each step is computed from: data, noise and U(0, 1) draws of every seed, made in blocks of steps."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod

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
    """The batches of any step, as functions of the step's number.

    Each seed sees the data in its own order: shuffled again every epoch, batches running on across epochs.
    The generator's batch has the real samples of the last discriminator step before it (relativistic losses
    pair them); its noise is its own, for ``generator_batch_size`` samples if that is not None.
    """

    def __init__(
        self,
        data: Dataset,
        seeds: Sequence[int],
        *,
        batch_size: int,
        generator_batch_size: int | None = None,
        latent_size: int,
        num_rand: int,
        discriminator_steps: int,
        device: torch.device,
    ) -> None:
        self.data, self.seeds, self.device = data, list(seeds), device
        self.batch_size, self.latent_size, self.num_rand = batch_size, latent_size, num_rand
        self.generator_batch_size = generator_batch_size
        self.discriminator_steps, self.batches_per_step = discriminator_steps, discriminator_steps + 1
        per_step = self.batches_per_step * batch_size * max(latent_size, num_rand, 1)
        self.block_steps = max(1, min(STEPS_PER_BLOCK, NUMBERS_PER_BLOCK // per_step))
        self._block = -1
        # One thread reads from the disk what the next step takes, and draws the order of the next block. Not
        # where steps are taken on the CPU and nothing is read: it would save nothing, and OpenMP, which then
        # counts more threads than cores, would put them to sleep after each operation: on the ring a step of
        # one seed took 7.8 ms instead of 3.0, one of eight seeds 15 instead of 6.6.
        self._threads = ThreadPoolExecutor(1, "data") if data.is_offloaded or device.type != "cpu" else None
        self._next_order: Future[Tensor] | None = None
        self._next_block = -1
        self._prefetched: Future[list[Tensor]] | None = None
        self._prefetch_key = (-1, -1)
        self._permutations: dict[int, tuple[int, Tensor]] = {}

    def __call__(self, step: int) -> tuple[list[Batch], Batch]:
        """Return this step's batches for the discriminator and the one for the generator.

        Their tensors begin with dimensions (S, B).
        """
        block, offset = divmod(step, self.block_steps)
        if block != self._block:
            self._draw(block)
        reals = [self.data.to_device(part) for part in self._fetched(offset)]
        batches = [
            Batch(real, self._latent[:, offset, i], self._rand[:, offset, i])
            for i, real in enumerate([*reals, reals[-1]])
        ]
        if self._generator_noise is None:
            return batches[:-1], batches[-1]
        latent, rand = self._generator_noise
        return batches[:-1], Batch(reals[-1], latent[:, offset], rand[:, offset])

    def select(self, seeds: Sequence[int]) -> None:
        """Make batches for these seeds only; their numbers do not change."""
        self.seeds, self._block, self._prefetch_key = list(seeds), -1, (-1, -1)
        self._next_block = -1

    def _fetched(self, offset: int) -> list[Tensor]:
        """Raw data of a step in this block; if data are offloaded, begins to fetch those of the next step."""
        prefetched = self._prefetched if self._prefetch_key == (self._block, offset) else None
        fetched = prefetched.result() if prefetched is not None else self._fetch(self._order[:, offset])
        if self._threads is not None and self.data.is_offloaded and offset + 1 < self.block_steps:
            self._prefetched = self._threads.submit(self._fetch, self._order[:, offset + 1])
            self._prefetch_key = (self._block, offset + 1)
        return fetched

    def _fetch(self, indices: Tensor) -> list[Tensor]:
        """Fetch samples (S, B, *shape) at indices (S, discriminator_steps, B), one tensor per batch."""
        return [self.data.fetch(indices[:, i]) for i in range(self.discriminator_steps)]

    def _draw(self, block: int) -> None:
        """Draw everything random of one block of steps: tensors begin with (S, steps, batches, B)."""
        k, n, b, device = self.block_steps, self.batches_per_step, self.batch_size, self.device
        latents, rands = [], []
        size, generator_noise = self.generator_batch_size, []
        for seed in self.seeds:
            generator = stream(seed, "noise", block, device)
            latents.append(torch.randn(k, n, b, self.latent_size, generator=generator, device=device))
            generator = stream(seed, "uniforms", block, device)
            rands.append(torch.rand(k, n, b, self.num_rand, generator=generator, device=device))
            if size is not None:
                generator = stream(seed, "generator noise", block, device)
                latent = torch.randn(k, size, self.latent_size, generator=generator, device=device)
                rand = torch.rand(k, size, self.num_rand, generator=generator, device=device)
                generator_noise.append((latent, rand))
        self._latent, self._rand = torch.stack(latents), torch.stack(rands)
        self._generator_noise = (
            tuple(torch.stack(parts) for parts in zip(*generator_noise, strict=True))
            if generator_noise
            else None
        )
        self._order = self._drawn_order(block)
        if not self.data.is_offloaded:
            self._order = self._order.to(device, non_blocking=True)
        self._block = block

    def _drawn_order(self, block: int) -> Tensor:
        """Return a block's order; that of the next one is drawn while the steps of this one are taken."""
        if self._threads is None:
            return self._draw_order(block, self.seeds)
        drawn = self._next_order if self._next_block == block else None
        if drawn is None:
            drawn = self._threads.submit(self._draw_order, block, self.seeds)
        order = drawn.result()
        self._next_order = self._threads.submit(self._draw_order, block + 1, self.seeds)
        self._next_block = block + 1
        return order

    def _draw_order(self, block: int, seeds: Sequence[int]) -> Tensor:
        """Draw the indices (S, steps, discriminator_steps, B) of a block."""
        shape = (self.block_steps, self.discriminator_steps, self.batch_size)
        count = prod(shape)
        return torch.stack([self._indices(seed, block * count, count).view(shape) for seed in seeds])

    def _indices(self, seed: int, start: int, count: int) -> Tensor:
        """Indices ``start`` to ``start + count`` of the seed's endless shuffled walk through the data."""
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
