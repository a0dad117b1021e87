"""Runs of a sweep in a worker process, one after the other. Imports no torch.

The worker imports PyTorch once and trains run after run. A run that kills it (the out-of-memory killer, a
crash in native code, ``os._exit``) has failed; a new worker takes the next one.
"""

import inspect
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import cloudpickle
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict
from tqdm import tqdm

from gan_lab.sweeps.live import live_output
from gan_lab.sweeps.workers import STOP, StoppableTask
from gan_lab.utils.errors import RunFailedError, summarize_exception
from gan_lab.utils.signals import RunInterrupted, describe_exit
from gan_lab.utils.terminal import safe_terminal
from gan_lab.utils.text import format_duration

_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True)
class Job:
    """One run as it is sent to the worker; ``task`` is the module and name of the task function."""

    task: tuple[str, str]
    folder: Path
    output: Path | None
    context: HydraContext
    config: DictConfig
    overrides: list[str]
    number: int
    singletons: dict[Any, Any]


class Worker:
    """A process that runs jobs one after the other, for as long as it lives."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # a fork would inherit threads and locks
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def run(self, job: Job, stalled: "Stalled") -> JobReturn:
        """Run one job and return what came of it; `is_alive` says whether the worker survived it."""
        self._connection.send_bytes(cloudpickle.dumps(job))
        while True:
            ready = wait([self._connection, self._process.sentinel], _POLL_SECONDS)
            if self._connection in ready:
                try:
                    outcome: JobReturn = pickle.loads(self._connection.recv_bytes())
                    return outcome
                except EOFError:
                    ready = [self._process.sentinel]
            if ready:
                self._process.join()
                return _failed(f"the process that trained it {describe_exit(self._process.exitcode)}")
            if stalled():
                self.stop()
                return _failed(
                    f"it made no progress for {stalled.minutes:g} minutes (hydra.launcher.minutes)"
                )

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    def close(self) -> None:
        """Let an idle process end by itself; one that still trains is ended at once."""
        self._connection.close()
        self._process.join(_PATIENCE_SECONDS)
        self.stop()

    def stop(self) -> None:
        """End the process at once; the run that it trains keeps its last checkpoint."""
        self._process.kill()
        self._process.join()
        self._connection.close()


class Stalled:
    """Whether a run's folder has not changed for some minutes; never, if ``minutes`` is None."""

    def __init__(self, folder: Path, minutes: float | None) -> None:
        self.folder, self.minutes = folder, minutes
        self._begun = time.time()

    def __call__(self) -> bool:
        if self.minutes is None:
            return False
        paths = (*self.folder.glob("*"), *self.folder.glob("seed_*/*"))
        newest = max((path.stat().st_mtime for path in paths if path.is_file()), default=0.0)
        return time.time() - max(newest, self._begun) > 60 * self.minutes


def run_jobs(
    task: StoppableTask,
    context: HydraContext,
    config: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    minutes: float | None,
) -> list[JobReturn]:
    """Run all jobs in a worker, a fresh one after each that dies; return what came of each."""
    returns: list[JobReturn] = []
    name = task.task.__module__, getattr(task.task, "__qualname__", "")
    begun = time.monotonic()
    with _one_worker_at_a_time() as workers:
        for number, overrides in enumerate(job_overrides, first):
            job_config = _job_config(context, config, overrides, number)
            folder = Path(job_config.hydra.sweep.dir) / job_config.hydra.sweep.subdir
            singletons = Singleton.get_state()
            job = Job(name, task.folder, task.output, context, config, list(overrides), number, singletons)
            if len(job_overrides) > 1 and live_output() is None:
                where = _where(len(returns), len(job_overrides), time.monotonic() - begun)
                print(where, file=sys.stderr, flush=True)
            returns.append(workers.alive().run(job, Stalled(folder, minutes)))
            if (task.folder / STOP).exists():
                break
    stopped = [_failed("stopped before it began") for _ in range(len(job_overrides) - len(returns))]
    return returns + stopped


def _where(done: int, jobs: int, seconds: float) -> str:
    """Say "run 3 of 14, about 12 min left" of a sweep of which ``done`` runs took so many seconds."""
    left = f", about {format_duration(seconds / done * (jobs - done))} left" if done else ""
    return f"run {done + 1} of {jobs}{left}"


class _Workers:
    def __init__(self) -> None:
        self._worker: Worker | None = None

    def alive(self) -> Worker:
        if self._worker is None or not self._worker.is_alive:
            self._worker = Worker()
        return self._worker

    def close(self) -> None:
        if self._worker is not None and self._worker.is_alive:
            self._worker.close()


@contextmanager
def _one_worker_at_a_time() -> Iterator[_Workers]:
    workers = _Workers()
    try:
        yield workers
    finally:
        workers.close()


def _job_config(
    context: HydraContext, config: DictConfig, overrides: Sequence[str], number: int
) -> DictConfig:
    job_config = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(job_config):
        job_config.hydra.job.id = f"{job_config.hydra.job.name}_{number}"
        job_config.hydra.job.num = number
    return job_config


def _serve(connection: Connection) -> None:
    """Run jobs until the other end closes; the body of a worker process."""
    threading.Thread(target=_stop_with_the_parent, daemon=True).start()
    tqdm.set_lock(threading.RLock())  # its own would be left to the system by a worker that dies
    while True:
        try:
            job = pickle.loads(connection.recv_bytes())
        except (EOFError, ConnectionError, RunInterrupted):  # there is no more, or nobody who wants it
            return
        with safe_terminal():  # it has the launching process's stdout, and not what guards it
            outcome = _run(job)
        try:
            answer = cloudpickle.dumps(outcome)
        except Exception:  # an error that cannot be pickled
            answer = cloudpickle.dumps(_failed(summarize_exception(outcome._return_value)))
        try:
            connection.send_bytes(answer)
        except (ConnectionError, RunInterrupted):  # the process that started the sweep has been killed
            return


def _run(job: Job) -> JobReturn:
    setup_globals()
    Singleton.set_state(job.singletons)
    module, name = job.task
    task: TaskFunction = inspect.unwrap(getattr(import_module(module), name))
    config = _job_config(job.context, job.config, job.overrides, job.number)
    HydraConfig.instance().set_config(config)
    try:
        return run_job(
            hydra_context=job.context,
            config=config,
            task_function=StoppableTask(task, job.folder, job.output, launcher=os.getppid()),
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
        )
    except BaseException as error:  # SystemExit, too, is the end of this run only
        return _failed(summarize_exception(error))


def _stop_with_the_parent() -> None:
    """Have a run save its state when the process that started the sweep has died."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def _failed(reason: str) -> JobReturn:
    outcome = JobReturn()
    outcome.status = JobStatus.FAILED
    outcome.return_value = RunFailedError(reason)
    return outcome
