"""Hydra's entrypoint: what ``gan-lab train`` does, for one run and for each run of a sweep."""

import gc
import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from gan_lab.config.schema import check
from gan_lab.runs.folder import discard_if_refused
from gan_lab.runs.resolvers import register_resolvers
from gan_lab.runs.status import existing_status, is_done
from gan_lab.training.summary import summary
from gan_lab.utils.errors import GanLabError, HydraPassthrough
from gan_lab.utils.paths import config_dir

register_resolvers()  # at import, because the workers of parallel launchers import this module only


@hydra.main(version_base="1.3", config_path=str(config_dir()), config_name="train")
def main(cfg: DictConfig) -> None:
    job, failure = HydraConfig.get(), None
    folder = Path(job.runtime.output_dir)
    try:
        train(cfg, folder, job.runtime.choices)
    except GanLabError as error:
        if job.mode == RunMode.RUN:
            raise HydraPassthrough(error) from error
        if os.environ.get("GAN_LAB_DEBUG"):
            traceback.print_exc()
        failure = type(error)(str(error))
    if failure is not None:
        # The first error holds everything its frames held, and the sweep's next run needs that memory.
        gc.collect()
        if (torch := sys.modules.get("torch")) is not None and torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        raise failure
    print(summary(folder))


def train(cfg: DictConfig, folder: Path, choices: Mapping[str, Any]) -> None:
    """Train ``cfg`` in ``folder``, resuming what is there; a finished run is left as it is.

    Nothing is left of a run that is refused.
    """
    with discard_if_refused(folder):
        check(cfg)
        status = None if cfg.rerun else existing_status(cfg, folder)
        if status is not None and is_done(cfg, status):
            return
        # Only here, so that a finished run is answered without waiting for torch.
        from gan_lab.training.build import build_components
        from gan_lab.training.loop import training_loop
        from gan_lab.training.preflight import preflight
        from gan_lab.training.run import open_run, schedule_of

        with open_run(cfg, folder, choices) as run:
            components = build_components(cfg, run.device)
            max_concurrent_seeds = preflight(cfg, components)
            experiment = run.start_or_resume(components, max_concurrent_seeds)
            with run.recording(experiment) as recorder:
                training_loop(
                    experiment.engine,
                    experiment.batches,
                    schedule_of(cfg),
                    recorder,
                    run.step,
                    run.last_finite,
                )
