"""Cores, and the variables by which libraries are told how many of them to use. Imports no torch."""

import os

# Read by a process as it starts: of OpenMP, and of the linear algebra of NumPy, SciPy and PyTorch.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
