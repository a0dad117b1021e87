"""Cores, and the variables by which libraries are told how many of them to use. Imports no torch."""

import os
from collections.abc import MutableMapping

# Read by a process as it starts: of OpenMP, and of the linear algebra of NumPy, SciPy and PyTorch.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wait_awake_for_a_moment(environment: MutableMapping[str, str]) -> None:
    """Have GNU's OpenMP, once it is loaded, wait awake between two operations for a short time only.

    By default it looks 300,000 times for work before it sleeps. 10,000 were as fast on idle cores (a step of
    the ring on two threads 2.9 ms, with 1,000 3.7); where other work wanted them, 20,000 took 20 ms, the
    default 44. Whoever has said how to wait is heard.
    """
    if not environment.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        environment["GOMP_SPINCOUNT"] = "10000"
