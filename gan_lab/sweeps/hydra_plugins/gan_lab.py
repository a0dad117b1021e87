"""gan-lab's sweeper and launchers as Hydra finds them.

Hydra imports this module at every start, also of other programs in the same environment. It must be quick, so
what it needs of gan-lab is imported where it is used. ``hydra_plugins`` is a namespace package: a file
``__init__.py`` beside this one would hide everybody else's plugins.
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper, BasicSweeperConf
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf


def _count_gpus(runs_per_gpu: Any = 1) -> int:
    """Return how many runs all GPUs take, so many on each."""
    from gan_lab.sweeps.gpus import count_gpus
    from gan_lab.utils.checks import check_int

    return check_int("hydra.launcher.runs_per_gpu", runs_per_gpu) * count_gpus()


OmegaConf.register_new_resolver("gan_lab_gpus", _count_gpus, replace=True)


@dataclass
class ResumableSweeperConf(BasicSweeperConf):
    """The same keys as Hydra's basic sweeper."""

    _target_: str = "hydra_plugins.gan_lab.ResumableSweeper"


ConfigStore.instance().store(
    group="hydra/sweeper", name="resumable", node=ResumableSweeperConf, provider="gan-lab"
)


class ResumableSweeper(BasicSweeper):
    """Sweep over the Cartesian product of all choices, under any launcher.

    Repeated, it skips finished runs and resumes the others; a run that fails does not stop the rest.
    """

    def sweep(self, arguments: list[str]) -> Any:
        from gan_lab.sweeps.sweep import sweep

        if sweep(*self._work(arguments)):
            sys.exit(1)

    def _work(self, arguments: list[str]) -> tuple[Any, ...]:
        """Return what a sweep works on, the arguments of `gan_lab.sweeps.sweep.sweep`."""
        from gan_lab.sweeps.combinations import combinations
        from gan_lab.sweeps.compose import SweepComposer
        from gan_lab.utils.files import atomic_write

        assert self.config is not None
        assert self.launcher is not None
        assert self.hydra_context is not None
        loader, config, launcher = self.hydra_context.config_loader, self.config, self.launcher
        compose = SweepComposer(loader, config)

        def begin(study: Path) -> None:
            study.mkdir(parents=True, exist_ok=True)
            atomic_write(study / "multirun.yaml", OmegaConf.to_yaml(config))  # through no link

        runs = combinations(loader, compose, [*self._parse_config(), *arguments])
        return runs, compose, begin, launcher.launch, self.max_batch_size


@dataclass
class RaceSweeperConf(BasicSweeperConf):
    """The same keys as Hydra's basic sweeper; a race's own are ``race.seeds``, ``race.hours``, ..."""

    _target_: str = "hydra_plugins.gan_lab.RaceSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="race", node=RaceSweeperConf, provider="gan-lab")


class RaceSweeper(ResumableSweeper):
    """Give each candidate seeds in rounds, until it is significantly worse or the race is over."""

    def sweep(self, arguments: list[str]) -> Any:
        from gan_lab.sweeps.race import race

        race(*self._work(arguments))


@dataclass
class WorkerLauncherConf:
    """minutes: a run that changes nothing in its folder for so long is ended; null for never."""

    _target_: str = "hydra_plugins.gan_lab.WorkerLauncher"
    minutes: float | None = None


ConfigStore.instance().store(
    group="hydra/launcher", name="worker", node=WorkerLauncherConf, provider="gan-lab"
)


class WorkerLauncher(BasicLauncher):
    """One run after the other in a worker process, so that a run which dies takes no other with it."""

    def __init__(self, minutes: float | None = None) -> None:
        super().__init__()
        self.minutes = minutes

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        from gan_lab.sweeps.worker import run_jobs
        from gan_lab.sweeps.workers import stoppable

        assert self.config is not None
        assert self.hydra_context is not None
        assert self.task_function is not None
        with stoppable(self.task_function) as task:
            return run_jobs(
                task, self.hydra_context, self.config, job_overrides, initial_job_idx, self.minutes
            )


# Each launcher needs an extra, and any of them may be missing.
with suppress(ImportError):
    from hydra_plugins.hydra_joblib_launcher import joblib_launcher
    from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf

    @dataclass
    class OneGpuLauncherConf(JobLibLauncherConf):  # type: ignore[misc]
        """runs_per_gpu: how many runs share a GPU."""

        runs_per_gpu: int = 1

    ConfigStore.instance().store(
        group="hydra/launcher", name="joblib_on_gpus", node=OneGpuLauncherConf, provider="gan-lab"
    )

    class StoppableJoblibLauncher(joblib_launcher.JoblibLauncher):  # type: ignore[misc]
        """One run per process, ``n_jobs`` at a time; runs that are asked to stop save their state first."""

        task_function: Any

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            from gan_lab.sweeps.workers import stoppable

            task_function = self.task_function
            with stoppable(task_function) as task:
                self.task_function = task
                try:
                    returns: Sequence[JobReturn] = super().launch(job_overrides, initial_job_idx)
                finally:
                    self.task_function = task_function
            return returns

    class OneGpuLauncher(StoppableJoblibLauncher):
        """One run per process, and a GPU for each process: one of its own, or one that a few share."""

        def __init__(self, runs_per_gpu: int = 1, **joblib: Any) -> None:
            super().__init__(**joblib)
            self.runs_per_gpu = runs_per_gpu

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            from gan_lab.sweeps.gpus import OneGpuTask

            task_function = self.task_function
            self.task_function = OneGpuTask(task_function, self.runs_per_gpu)
            try:
                return super().launch(job_overrides, initial_job_idx)
            finally:
                self.task_function = task_function


with suppress(ImportError):
    from hydra_plugins.hydra_submitit_launcher import submitit_launcher

    class RequeueingSlurmLauncher(submitit_launcher.SlurmLauncher):  # type: ignore[misc]
        """One Slurm job per run; a lost job is a failed run. Needs no Slurm accounting."""

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            from gan_lab.sweeps.slurm import submit, wait

            return wait(submit(self, job_overrides, initial_job_idx))

        def __call__(self, *arguments: Any) -> JobReturn:
            from gan_lab.sweeps.slurm import requeued_when_preempted

            with requeued_when_preempted():
                result: JobReturn = super().__call__(*arguments)
            return result


with suppress(ImportError):
    from hydra_plugins.hydra_ray_launcher import ray_launcher

    class RayLauncher(ray_launcher.RayLauncher):  # type: ignore[misc]
        """One Ray task per run."""

        def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
            import ray

            try:
                returns: Sequence[JobReturn] = super().launch(job_overrides, initial_job_idx)
            except BaseException:
                # Ray raises at the first lost task. The sweep then launches the unfinished runs again, and
                # nothing may train them a second time meanwhile.
                ray.shutdown()
                raise
            return returns
