"""One run from its configuration to its end: what ``gan-lab train`` trains, and ``gan-lab plan`` times."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from gan_lab.training import loop
from gan_lab.training.build import build_components
from gan_lab.training.preflight import preflight
from gan_lab.training.recorder import Recorder
from gan_lab.training.run import open_run, schedule_of
from gan_lab.training.schedule import Schedule


def run_training(
    cfg: DictConfig,
    folder: Path,
    choices: Mapping[str, Any],
    *,
    schedule: Schedule | None = None,
    callback: Callable[[Recorder], loop.Callback] = lambda recorder: recorder,
) -> None:
    """Train ``cfg`` in ``folder``, resuming what is there.

    choices: group -> chosen name; schedule: instead of the configuration's own; callback: what the loop calls
    instead of the recorder that it is given.
    """
    with open_run(cfg, folder, choices) as run:
        components = build_components(cfg, run.device)
        if run.is_complete(components.data):
            return
        limits = preflight(cfg, components, None if cfg.rerun else run.status)
        experiment = run.start_or_resume(components, limits)
        with run.recording(experiment) as recorder:
            loop.training_loop(
                experiment.engine,
                experiment.batches,
                schedule or schedule_of(cfg),
                callback(recorder),
                run.step,
                run.last_finite,
            )
