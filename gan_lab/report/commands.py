"""What to type: to repeat a run, and to try a candidate on fresh seeds."""

import shlex
from collections.abc import Sequence

from gan_lab.report.candidates import show
from gan_lab.runs.run import Run

# Keys that a run without Hydra's record is repeated with, beside its groups.
_KEYS = ("study", "steps", "batch_size", "seed", "seeds", "discriminator_steps", "precision", "ema")


def repeat(run: Run) -> str:
    """The command that made a run, quoted for a shell."""
    return _command(run, _overrides(run))


def fresh_seeds(runs: Sequence[Run], first: int, count: int, study: str) -> str:
    """The command that trains what ``runs`` trained on seeds that nobody has seen, in a study of its own.

    In the same study the fresh scores would be pooled with those that made the candidate the winner.
    """
    latest = max(runs, key=lambda run: run.status.started)
    replaced = ("seed=", "seeds=", "study=", "rerun=")
    kept = [override for override in _overrides(latest) if not override.lstrip("+").startswith(replaced)]
    return _command(latest, [*kept, f"seed={first}", f"seeds={count}", f"study={study}_fresh"])


def is_exact(run: Run) -> bool:
    return run.overrides is not None


def _overrides(run: Run) -> list[str]:
    if run.overrides is not None:
        return run.overrides
    groups = [f"{g}={name}" for g, name in sorted(run.status.choices.items()) if g != "experiment"]
    keys = [f"{key}={show(run.config[key])}" for key in _KEYS if run.config.get(key) is not None]
    return groups + keys


def _command(run: Run, overrides: Sequence[str]) -> str:
    where = ["--config-dir", run.config_dir] if run.config_dir else []
    return shlex.join(["gan-lab", "train", *where, *overrides])
