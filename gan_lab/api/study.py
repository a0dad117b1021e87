"""A study as Python code trains it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gan_lab.runs.load import TrainedRun


class Study:
    """Runs that belong together, in ``outputs/<name>``; None leaves the name to the configuration."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def train(self, overrides: Sequence[str] = ()) -> "TrainedRun":
        """Train one run as ``gan-lab train <overrides>`` does and return it.

        A finished run is returned as it is, an interrupted one is resumed. Raises `GanLabError` for what the
        command line would refuse, and `RunFailedError` if the run fails.
        """
        from gan_lab.train import train_overrides

        words = [] if self.name is None else [f"study={self.name}"]
        return train_overrides([*words, *overrides])
