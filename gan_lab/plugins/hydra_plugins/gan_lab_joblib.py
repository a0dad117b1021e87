"""Joblib's launcher as gan-lab wants it: runs that are asked to stop save their state first.

Hydra imports this module at every start, also where the extra ``joblib`` is not installed.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import OmegaConf


def _gpus() -> int:
    from gan_lab.devices import count_gpus

    return count_gpus()


OmegaConf.register_new_resolver("gan_lab_gpus", _gpus, replace=True)

with suppress(ImportError):
    from hydra_plugins.hydra_joblib_launcher import joblib_launcher

    class Processes(joblib_launcher.JoblibLauncher):  # type: ignore[misc]
        """One run a process, ``n_jobs`` at a time."""

        task_function: Any

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            from gan_lab.jobs.workers import stoppable

            plain = self.task_function
            with stoppable(plain) as task:
                self.task_function = task
                try:
                    returns: Sequence[JobReturn] = super().launch(job_overrides, initial_job_idx)
                finally:
                    self.task_function = plain
            return returns
