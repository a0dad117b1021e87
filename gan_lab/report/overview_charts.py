"""Which curves and charts TensorBoard shows of a candidate: means over its seeds, bands, single seeds.

Imports no torch.
"""

import math
import re
from collections.abc import Collection, Iterator, Mapping

from gan_lab.report.event_file import Chart
from gan_lab.runs.tags import tag_of

_LOSSES = ("loss/generator", "loss/discriminator")
_BANDED = (*_LOSSES, "probability/", "metrics/")

Curve = Mapping[int, float]  # step -> value, NaN where it is not finite


def tags(
    name: str, by_seed: Mapping[int, Curve], averaged: Mapping[int, bool], primary: str | None
) -> Iterator[tuple[str, Curve]]:
    """Yield (tag, curve) of the mean over seeds, of its band and of single seeds, as far as they are shown.

    averaged: the seeds that the mean is of, and whether each has diverged. What is not finite counts in none
    of them.
    """
    tag = tag_of(name, primary)
    points = _common_points(
        {number: curve for number, curve in by_seed.items() if number in averaged}, averaged
    )
    yield tag, {step: math.fsum(values) / len(values) for step, values in points.items()}
    if len(by_seed) == 1:
        return
    if name.startswith(_BANDED):
        _, low, high = _band(tag)
        yield low, {step: min(values) for step, values in points.items()}
        yield high, {step: max(values) for step, values in points.items()}
    if name in (*_LOSSES, f"metrics/{primary}"):
        for number, curve in by_seed.items():
            yield f"{_seeds_tag(tag)}/seed_{number}", curve
    if name == f"metrics/{primary}":
        yield "seeds/averaged", {step: float(len(values)) for step, values in points.items()}


def _common_points(by_seed: Mapping[int, Curve], diverged: Mapping[int, bool]) -> dict[int, list[float]]:
    """Return the values of all seeds at the steps at which each has one; after divergence it has none."""
    finite = {
        number: {step: value for step, value in curve.items() if math.isfinite(value)}
        for number, curve in by_seed.items()
    }
    ends = {
        number: max(curve, default=-1) if diverged[number] else math.inf for number, curve in finite.items()
    }
    points = {}
    for step in sorted({step for curve in finite.values() for step in curve}):
        needed = [number for number in finite if step <= ends[number]]
        if all(step in finite[number] for number in needed):
            points[step] = [finite[number][step] for number in needed]
    return points


def _band(tag: str) -> tuple[str, str, str]:
    return tag, f"band/{_bare(tag)}/lowest", f"band/{_bare(tag)}/highest"


def _seeds_tag(tag: str) -> str:
    return f"seeds/{_bare(tag)}"


def _bare(tag: str) -> str:
    """Return a tag without the number that sorts it: "loss/generator" of "2_loss/generator"."""
    return re.sub(r"^\d+_", "", tag)


def layout(names: Collection[str], primary: str | None) -> dict[str, list[Chart]]:
    """Return the charts of the CUSTOM SCALARS tab, the score first; TensorBoard sorts within a category."""
    deciding = [f"metrics/{primary}"]
    others = sorted(name for name in names if is_score(name) and name not in deciding)
    categories = {
        "score": (deciding, _band_chart),
        "score, every seed": (deciding, _seeds_chart),
        "losses": (_LOSSES, _band_chart),
        "losses, every seed": (_LOSSES, _seeds_chart),
        "D(x) and D(G(z))": (sorted(name for name in names if name.startswith("probability/")), _band_chart),
        "other scores": (others, _band_chart),
    }
    charts = {
        title: [chart(name, tag_of(name, primary)) for name in charted if name in names]
        for title, (charted, chart) in categories.items()
    }
    return {title: shown for title, shown in charts.items() if shown}


def _band_chart(name: str, tag: str) -> Chart:
    return Chart(f"{_title(name)}, mean and range over seeds", bands=[_band(tag)])


def _seeds_chart(name: str, tag: str) -> Chart:
    return Chart(f"{_title(name)}, every seed", tags=rf"^{re.escape(_seeds_tag(tag))}/seed_\d+$")


def _title(name: str) -> str:
    return name.removeprefix("metrics/").removeprefix("probability/")


def is_score(name: str) -> bool:
    return name.startswith("metrics/")
