"""What is printed at the end of a run. Imports no torch: a finished run is answered at once."""

from pathlib import Path

from omegaconf import DictConfig

from gan_lab.runs.existing import watched_note
from gan_lab.runs.run import Run, describe_scores
from gan_lab.runs.study import OVERVIEW
from gan_lab.utils.paths import quoted, relative
from gan_lab.utils.text import plural


def summary(cfg: DictConfig, folder: Path) -> str:
    """Summarize a run: its result, where to look, and which watched keys differ from those of ``cfg``."""
    run = Run.load(folder)
    status, seeds = run.status, run.seeds
    lines = [
        f"{status.state}: {status.step} steps, {plural(len(seeds), 'seed')}, "
        f"{status.seconds:.0f} s on {status.device}",
        f"  run      {relative(folder)}",
    ]
    if status.diverged:
        diverged = ", ".join(f"{seed} (step {step})" for seed, step in sorted(status.diverged.items()))
        lines.append(f"  diverged seeds {diverged}")
    lines += _scores(run)
    if pictures := seeds[0].pictures:
        lines.append(f"  samples  {relative(pictures[-1])}")
    overview = folder.parent / OVERVIEW
    look = overview if overview.is_dir() else folder
    lines.append(f"  look     tensorboard --logdir {quoted(relative(look))}")
    if note := watched_note(cfg, run):
        lines.append(f"  note     {note}")
    return "\n".join(lines)


def trial(folder: Path) -> str:
    """Summarize a run of a search in one line: searches print lines of their own between runs."""
    run = Run.load(folder)
    described = describe_scores(run)
    scored = "" if described is None else ", {} {}".format(*described)
    return (
        f"{run.status.state}: {run.status.step} steps, {run.status.seconds:.0f} s{scored}, {relative(folder)}"
    )


def _scores(run: Run) -> list[str]:
    """The primary score of every seed, and the share of time that metrics took."""
    described = describe_scores(run)
    if described is None:
        return []
    primary, scores, real_data = described
    share = f"measuring took {run.status.metric_seconds / max(run.status.seconds, 1e-9):.0%} of the time"
    return [f"  {primary:8} {scores} (real data {real_data}; {share})"]
