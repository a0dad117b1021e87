"""What is printed at the end of a run. Imports no torch: a finished run is answered at once."""

from contextlib import suppress
from pathlib import Path

from gan_lab.runs.folder import seed_folder
from gan_lab.runs.results import read_results
from gan_lab.runs.status import Status
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.paths import relative


def summary(folder: Path) -> str:
    """Say what became of a run, and how to look at it."""
    status = Status.load(folder)
    assert status is not None
    seeds = status.seeds
    pictures = sorted((seed_folder(folder, seeds[0]) / "samples").glob("*.png"))
    lines = [
        f"{status.state}: {status.step} steps, {len(seeds)} seed{'s'[: len(seeds) - 1]}, "
        f"{status.seconds:.0f} s on {status.device}",
        f"  run      {relative(folder)}",
    ]
    if status.diverged:
        diverged = ", ".join(f"{seed} (step {step})" for seed, step in sorted(status.diverged.items()))
        lines.append(f"  diverged seeds {diverged}")
    lines += _scores(folder, status)
    if pictures:
        lines.append(f"  samples  {relative(pictures[-1])}")
    lines.append(f"  look     tensorboard --logdir '{relative(folder.parent)}'")
    return "\n".join(lines)


def _scores(folder: Path, status: Status) -> list[str]:
    """The primary score of every seed, and the share of time that metrics took."""
    results = []
    with suppress(GanLabError):  # a corrupt file is not worth a failure here
        per_seed = [read_results(seed_folder(folder, seed)) for seed in status.seeds]
        results = [one for one in per_seed if one is not None]
    if not results:
        return []
    primary = results[0]["primary"]
    last = [one["metrics"][primary]["last"] for one in results]
    real_data = results[0]["metrics"][primary]["real_data"]
    scores = ", ".join(map(_number, last[:8])) + (", ..." if len(last) > 8 else "")
    share = status.metric_seconds / max(status.seconds, 1e-9)
    return [
        f"  {primary:8} {scores} (real data {_number(real_data)}; measuring took {share:.0%} of the time)"
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
