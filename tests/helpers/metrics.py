"""Metrics that misbehave in a process that computes scores, and nowhere else."""

import os
import signal
import sys
import time

from gan_lab.evaluation import FeatureBatch, SlicedWasserstein


class Slow(SlicedWasserstein):
    def __init__(self, seconds: float, directions: int = 128) -> None:
        super().__init__(directions)
        self.seconds = seconds

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        if in_a_worker():
            time.sleep(self.seconds)
        return super().__call__(fake, real)


class Fails(SlicedWasserstein):
    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        if in_a_worker():
            print("no reply, though it is printed")
            raise Unpicklable("no number today")
        return super().__call__(fake, real)


class Unpicklable(ValueError):
    def __reduce__(self) -> str:
        raise TypeError("stays here")


class Dies(SlicedWasserstein):
    """Has its process killed when it is called for the ``number``-th time there."""

    def __init__(self, number: int, directions: int = 128) -> None:
        super().__init__(directions)
        self.number = number

    def __call__(self, fake: FeatureBatch, real: FeatureBatch) -> dict[str, float | None]:
        if in_a_worker():
            self.number -= 1
            if not self.number:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(fake, real)


class Stays(SlicedWasserstein):
    """Cannot be sent to another process."""

    def __reduce__(self) -> str:
        raise TypeError("stays here")


def in_a_worker() -> bool:
    return "gan_lab.training.recorder" not in sys.modules
