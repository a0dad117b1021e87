"""What training changes in a process, put back for the code that called it."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch


@contextmanager
def as_in_a_process_of_its_own() -> Iterator[None]:
    """Compute as the command line does, whatever the caller has set, and leave what they set as it was.

    That is PyTorch's default dtype and device, gradients, denormal numbers and threads, and the global random
    numbers of PyTorch, NumPy and Python. Signal handlers and Hydra's own state are not touched.
    """
    python, numpy, cpu = random.getstate(), np.random.get_state(), torch.get_rng_state()
    dtype, threads, flushes = torch.get_default_dtype(), torch.get_num_threads(), _flushes_denormals()
    try:
        with ExitStack() as stack:
            torch.set_default_dtype(torch.float32)
            stack.enter_context(torch.device("cpu"))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_flush_denormal(flushes)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_rng_state(cpu)
        np.random.set_state(numpy)
        random.setstate(python)


def _flushes_denormals() -> bool:
    """Whether this thread rounds denormal numbers to 0, which PyTorch sets and does not tell."""
    smallest = torch.full((1,), 2.0**-1040, dtype=torch.float64, device="cpu")
    return bool((smallest * 1.5).item() == 0)
