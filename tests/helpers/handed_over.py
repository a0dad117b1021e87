"""Networks that are handed over as classes."""

from torch import Tensor, nn


class Generator(nn.Module):
    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, 64), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z).view(-1, 1, 8, 8)


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x)
