"""Submitit's Slurm launcher as gan-lab wants it: a job that is lost is a failed run, and no more than that.

Hydra imports this module at every start, also where the extra ``slurm`` is not installed.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from hydra.core.utils import JobReturn

with suppress(ImportError):
    from hydra_plugins.hydra_submitit_launcher import submitit_launcher

    class Slurm(submitit_launcher.SlurmLauncher):  # type: ignore[misc]
        """One job a run. Waits for all of them, also where Slurm keeps no accounts."""

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            from gan_lab.jobs.slurm import submit, wait

            return wait(submit(self, job_overrides, initial_job_idx))

        def __call__(self, *arguments: Any) -> JobReturn:
            from gan_lab.jobs.slurm import requeued_when_preempted

            with requeued_when_preempted():
                done: JobReturn = super().__call__(*arguments)
            return done
