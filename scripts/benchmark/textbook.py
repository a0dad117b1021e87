"""The loop that users would otherwise write: PyTorch's DCGAN tutorial, one run at a time.

It has a DataLoader with PIL transforms and two workers, a Sigmoid and BCELoss, Adam, and `.item()` on every
loss in every step. Networks, batch, data, learning rate, device and threads are gan-lab's, so that only the
loop differs.
"""

from collections.abc import Generator
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset


class DecodedImages(Dataset[Tensor]):
    """Images as tutorials read them: PIL, then Resize, ToTensor and Normalize at each access."""

    def __init__(self, pixels: Tensor) -> None:
        from torchvision import transforms

        self.images = [Image.fromarray(np.asarray(image.permute(1, 2, 0).squeeze(-1))) for image in pixels]
        size, channels = pixels.shape[-1], pixels.shape[1]
        self.transform = transforms.Compose(
            [
                transforms.Resize(size),
                transforms.CenterCrop(size),
                transforms.ToTensor(),
                transforms.Normalize((0.5,) * channels, (0.5,) * channels),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image: Tensor = self.transform(self.images[index])
        return image


class TextbookLoop:
    """Trains one generator and one discriminator as tutorials do."""

    def __init__(
        self,
        gan: Any,
        data: Any,
        *,
        batch_size: int,
        latent_size: int,
        device: torch.device,
        bf16: bool = False,
    ) -> None:
        self.generator, self.discriminator = (
            deepcopy(gan.generator).to(device),
            deepcopy(gan.discriminator).to(device),
        )
        self.device, self.latent_size, self.bf16 = device, latent_size, bf16
        self.criterion = nn.BCELoss()
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )
        images = len(data.shape) == 3
        rows: Dataset[Any] = DecodedImages(data.data.cpu()) if images else TensorDataset(data.data.cpu())
        self.loader = DataLoader(
            rows,
            batch_size=batch_size,
            shuffle=True,
            drop_last=True,
            # Points need no decoding: workers would only slow this loop down.
            num_workers=2 if images else 0,
            persistent_workers=images,
            pin_memory=device.type == "cuda",
        )
        self._batches = self._endless()
        self.losses: list[tuple[float, float]] = []

    def _endless(self) -> Generator[Tensor, None, None]:
        while True:
            for batch in self.loader:
                yield batch if isinstance(batch, Tensor) else batch[0]

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.losses.append(self._step(next(self._batches).to(self.device)))

    def _step(self, real: Tensor) -> tuple[float, float]:
        ones = torch.ones(len(real), device=self.device)
        zeros = torch.zeros(len(real), device=self.device)

        self.discriminator.zero_grad()
        loss_real = self.criterion(self._probability(real), ones)
        loss_real.backward()
        noise = torch.randn(len(real), self.latent_size, device=self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            fake = self.generator(noise)
        loss_fake = self.criterion(self._probability(fake.detach()), zeros)
        loss_fake.backward()
        self.d_optimizer.step()

        self.generator.zero_grad()
        loss = self.criterion(self._probability(fake), ones)
        loss.backward()
        self.g_optimizer.step()
        return loss_real.item() + loss_fake.item(), loss.item()

    def _probability(self, x: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            logits = self.discriminator(x)
        return torch.sigmoid(logits.float())
