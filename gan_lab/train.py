"""Hydra's entrypoint: what ``gan-lab train`` does, for one run and for each run of a sweep."""

import shlex
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.config.overrides import check_choices, searches
from gan_lab.config.schema import check
from gan_lab.runs.existing import existing_status, is_done
from gan_lab.runs.folder import discard_if_refused
from gan_lab.runs.initial_weights import require_source_elsewhere
from gan_lab.runs.resolvers import register_resolvers
from gan_lab.runs.run import Run
from gan_lab.sweeps.job import release_gpu_memory, run_as_job
from gan_lab.training.summary import summary, trial
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import config_dir

register_resolvers()  # at import, because the workers of parallel launchers import this module only


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Train; return what a sweeper that searches is to minimize, see `gan_lab.report.objective`."""
    job: Any = HydraConfig.get()
    folder = Path(job.runtime.output_dir)
    run_as_job(lambda: train(cfg, folder, job), single=job.mode == RunMode.RUN)
    if not searches(job):
        print(summary(cfg, folder))
        return None
    print(trial(folder))
    from gan_lab.report.objective import value_to_minimize

    value = value_to_minimize(Run.load(folder))
    if value is None:
        raise _without_score(job)
    return value


def train(cfg: DictConfig, folder: Path, job: Any) -> None:
    """Train ``cfg`` in ``folder``, resuming what is there; a finished run is left as it is.

    ``job`` is Hydra's own node of the configuration. Nothing is left of a run that is refused.
    """
    try:
        with discard_if_refused(folder):
            _train(cfg, folder, job)
    finally:
        release_gpu_memory()


def _train(cfg: DictConfig, folder: Path, job: Any) -> None:
    check_choices(job)
    check(cfg)
    require_source_elsewhere(cfg.init_from, folder)
    status = None if cfg.rerun else existing_status(cfg, folder)
    if status is not None and is_done(cfg, status):
        return
    if searches(job) and not cfg.metrics.every:
        raise _without_score(job)
    # Only here, so that a finished run is answered without waiting for torch.
    from gan_lab.training.run_training import run_training

    run_training(cfg, folder, job.runtime.choices)


def _without_score(job: Any) -> ConfigurationError:
    sweeper = job.runtime.choices["hydra/sweeper"]
    return ConfigurationError(
        f"hydra/sweeper={sweeper} looks for the best score, and this run has none: "
        "metrics.every must be above 0"
    )


if __name__ == "__main__":
    print(f"gan-lab: type gan-lab train {shlex.join(sys.argv[1:])}", file=sys.stderr)
    sys.exit(2)
