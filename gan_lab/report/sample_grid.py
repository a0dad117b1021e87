"""The samples of each candidate from one and the same noise: where in the runs' pictures they are."""

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gan_lab.report.entries import FINISHED, Entry
from gan_lab.runs.samples import grid_size, grid_step
from gan_lab.utils.errors import GanLabError

PADDING = 2  # of the grids that `gan_lab.datasets.base.Images.plot` makes
CELLS = 10
MOST_ROWS = 40
Picture = tuple[Path, tuple[int, int]]  # and its size in pixels


def sample_rows(groups: Mapping[str, Sequence[Entry]]) -> dict[str, Any] | None:
    """Return one row per candidate, all of one seed: its last picture, and the boxes of its first cells.

    Noise depends on the seed alone, so cell k of every row shows the same noise. A scatter plot of points
    is shown whole.
    """
    pictured = {
        name: {entry.seed.number: (entry, picture) for entry in entries if (picture := _latest(entry))}
        for name, entries in list(groups.items())[:MOST_ROWS]
    }
    pictured = {name: seeds for name, seeds in pictured.items() if seeds}
    if not pictured:
        return None
    common = _common({name: list(seeds) for name, seeds in pictured.items()}, pictured)
    rows = []
    for name, seeds in pictured.items():
        entry, picture = seeds[common if common in seeds else min(seeds)]
        rows.append(_row(name, entry, picture))
    points = all(len(entry.study_run.run.status.shape) == 1 for own in groups.values() for entry in own)
    return {
        "kind": "points" if points else "images",
        "seed": common,
        "same_noise": all(row["seed"] == common for row in rows),
        "columns": max(len(row["boxes"]) for row in rows),
        "rows": rows,
        "missing": [name for name in groups if name not in pictured],
    }


def _common(seeds: Mapping[str, Sequence[int]], pictured: Mapping[str, Mapping[int, Any]]) -> int:
    """Return the seed that most candidates have a picture of; of these the one that diverged least."""

    def priority(seed: int) -> tuple[int, int, int]:
        having = [pictured[name][seed][0] for name in seeds if seed in seeds[name]]
        return len(having), sum(entry.state == FINISHED for entry in having), -seed

    return max({seed for own in seeds.values() for seed in own}, key=priority)


def _latest(entry: Entry) -> Picture | None:
    """Find the last picture of a seed, None if there is none that can be read."""
    for path in entry.seed.pictures[-1:]:
        with suppress(GanLabError):
            return path, grid_size(path, entry.study_run.run.folder)
    return None


def _row(name: str, entry: Entry, picture: Picture) -> dict[str, Any]:
    run, (path, size) = entry.study_run.run, picture
    number = int((run.config.get("samples") or {}).get("number") or 0)
    images = len(run.status.shape) > 1
    return {
        "name": name,
        "seed": entry.seed.number,
        "step": grid_step(path),
        "state": entry.state,
        "path": str(path),
        "boxes": _boxes(size, number)[:CELLS] if images else [[0, 0, *size]],
    }


def _boxes(size: tuple[int, int], number: int) -> list[list[int]]:
    """Return [left, upper, right, lower] of every cell of a near square grid of ``number`` images."""
    columns = math.ceil(math.sqrt(number)) if number else 0
    rows = math.ceil(number / columns) if columns else 0
    width, height = (
        (length - PADDING) / n if n else 0 for length, n in zip(size, (columns, rows), strict=True)
    )
    if number < 2 or width != int(width) or height != int(height) or min(width, height) <= PADDING:
        return [[0, 0, *size]]  # one image has no border; any other picture is shown whole
    across, down = int(width), int(height)
    corners = [(PADDING + i % columns * across, PADDING + i // columns * down) for i in range(number)]
    return [[x, y, x + across - PADDING, y + down - PADDING] for x, y in corners]
