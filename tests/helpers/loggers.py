"""A logger that remembers, and one that fails where it is told to."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gan_lab.training import LoggedSeed, Logger

SEEDS: list["Memory"] = []


class Memory(Logger):
    def __init__(self, fails_in: str = "", error: str = "ValueError") -> None:
        self.fails_in, self.error = fails_in, error
        self.scalars: dict[int, dict[str, float]] = {}
        self.images: list[tuple[int, str, tuple[int, ...]]] = []
        self.ended: list[bool] = []
        self._fail("__init__")
        SEEDS.append(self)

    def _fail(self, method: str) -> None:
        if self.fails_in == method:
            raise {"ValueError": ValueError, "OSError": OSError}[self.error]("no line")

    def begin(self, seed: LoggedSeed) -> str:
        self.seed: Any = seed
        self._fail("begin")
        return f"id of {seed.seed}"

    def log_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
        self._fail("log_scalars")
        self.scalars.setdefault(step, {}).update(scalars)

    def log_image(self, step: int, name: str, image: Tensor) -> None:
        self._fail("log_image")
        self.images.append((step, name, tuple(image.shape)))

    def end(self, successful: bool) -> None:
        self.ended.append(successful)
        self._fail("end")
