"""Runs as Slurm jobs. Imports no torch.

submitit learns from Slurm's accounting that a job has ended, waits forever without accounting, and raises at
the first lost job. Here the queue is polled, and a lost job is a failed run.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import submitit
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus
from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher

from gan_lab.utils.errors import RunFailedError
from gan_lab.utils.paths import relative
from gan_lab.utils.signals import RunInterrupted

_POLL = 2.0  # seconds
_LATE = 15.0  # seconds until a cluster's file system shows what another node wrote
_SHARED = set(BaseQueueConf.__dataclass_fields__)


def submit(
    launcher: SlurmLauncher, job_overrides: Sequence[Sequence[str]], first: int
) -> list["submitit.Job[JobReturn]"]:
    """Submit one array of jobs, each of which calls ``launcher`` as Hydra's submitit launcher does."""
    params = dict(launcher.params)
    executor = submitit.AutoExecutor(
        folder=params.pop("submitit_folder"),
        cluster="slurm",
        slurm_max_num_timeout=params.pop("max_num_timeout"),
    )
    executor.update_parameters(
        **{name if name in _SHARED else f"slurm_{name}": value for name, value in params.items()}
    )
    state = Singleton.get_state()
    arguments: list[tuple[Any, ...]] = [
        (list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", state)
        for number, overrides in enumerate(job_overrides, first)
    ]
    jobs: list[submitit.Job[JobReturn]] = executor.map_array(launcher, *zip(*arguments, strict=True))
    print(f"{len(jobs)} jobs in Slurm's queue: {jobs[0].job_id} to {jobs[-1].job_id}", flush=True)
    return jobs


def wait(jobs: Sequence["submitit.Job[JobReturn]"]) -> list[JobReturn]:
    """Return the result of each job when none of them is in the queue any more."""
    missing_since: dict[str, float] = {}
    waiting = list(jobs)
    try:
        while waiting:
            waiting = [job for job in waiting if not job.paths.result_pickle.exists()]
            queued = _squeue("--array", "--format=%i")
            for job in waiting:
                if queued is None or job.job_id in queued:
                    missing_since.pop(job.job_id, None)
                else:
                    missing_since.setdefault(job.job_id, time.monotonic())
            late = time.monotonic() - _LATE
            waiting = [job for job in waiting if missing_since.get(job.job_id, late) >= late]
            if waiting:
                time.sleep(_POLL)
    except KeyboardInterrupt:
        names = " ".join(dict.fromkeys(job.job_id.partition("_")[0] for job in jobs))
        print(f"gan-lab: the jobs keep running; cancel them with: scancel {names}", file=sys.stderr)
        raise
    return [_return(job) for job in jobs]


@contextmanager
def requeued_when_preempted() -> Iterator[None]:
    """Requeue the job that this runs in when Slurm sends SIGTERM before it preempts the job.

    submitit requeues at SIGUSR2, which Slurm sends before the time limit. A preempted job gets SIGTERM
    instead, and is not run again if it then ends by itself.
    """
    signal.signal(signal.SIGTERM, _requeue_unless_cancelled)
    try:
        yield
    except KeyboardInterrupt as stop:
        sys.exit(getattr(stop, "exit_code", 130))
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it comes with every requeue, and all is saved


def _requeue_unless_cancelled(number: int, frame: FrameType | None) -> None:
    job = os.environ["SLURM_JOB_ID"]
    if _squeue("--format=%T", f"--job={job}") == ["RUNNING"]:  # scancel has it CANCELLED already
        signal.raise_signal(signal.SIGUSR2)
    raise RunInterrupted(number)


def _squeue(*words: str) -> list[str] | None:
    """Return one word per unfinished job of this user, or None if Slurm does not answer."""
    command = ["squeue", "--me", "--noheader", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split()


def _return(job: "submitit.Job[JobReturn]") -> JobReturn:
    log = relative(job.paths.stderr)
    why: Exception
    if not job.paths.result_pickle.exists():
        why = RunFailedError(f"Slurm's job {job.job_id} ended without a result, killed or cancelled ({log})")
    else:
        try:
            done: JobReturn = job.result()
            return done
        except Exception as error:
            last = str(error).partition("\n------")[0].strip()
            why = RunFailedError(f"Slurm's job {job.job_id} failed ({log}): {last}")
    return JobReturn(status=JobStatus.FAILED, _return_value=why)
