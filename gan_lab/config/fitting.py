"""The model that fits a data set, where none is asked for. Imports no torch."""

from collections.abc import Sequence

POINTS = ("ring", "grid")  # data sets of points; the default model makes images
MODEL_OF_POINTS = "mlp"


def with_fitting_model(overrides: Sequence[str]) -> list[str]:
    """Return overrides with a model for points if that is what the data are, and no model is chosen.

    An experiment chooses its own. Names of entries are as they are called, not aliases.
    """
    chosen = {key.lstrip("+~").partition("@")[0]: value for key, _, value in map(_split, overrides)}
    names = chosen.get("dataset", "").split(",")
    if not {"model", "experiment"} & set(chosen) and set(names) <= set(POINTS):
        return [*overrides, f"model={MODEL_OF_POINTS}"]
    return list(overrides)


def _split(override: str) -> tuple[str, str, str]:
    return override.partition("=")
