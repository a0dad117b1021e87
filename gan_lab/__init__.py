"""gan-lab: which activation function should this GAN use, answered with evidence."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lab.jobs.sampling import load
    from gan_lab.jobs.train import train

__all__ = ["load", "train"]


def __getattr__(name: str) -> Any:
    # Lazily, so that `gan-lab --help` does not wait for torch.
    if name == "train":
        from gan_lab.jobs.train import train

        return train
    if name == "load":
        from gan_lab.jobs.sampling import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
