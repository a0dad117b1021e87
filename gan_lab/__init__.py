"""gan-lab: which activation function should this GAN use, answered with evidence."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_lab.api.study import Study
    from gan_lab.runs.load import load

__all__ = ["Study", "load"]


def __getattr__(name: str) -> Any:
    # Lazily, so that `gan-lab --help` does not wait for torch.
    if name == "Study":
        from gan_lab.api.study import Study

        return Study
    if name == "load":
        from gan_lab.runs.load import load

        return load
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
