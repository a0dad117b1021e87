"""Computing on one thread for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """Have PyTorch, and the linear algebra of NumPy and SciPy, use one thread inside.

    Numbers then do not depend on how many threads there are, and small problems are not slowed down by those
    that wait for each other.
    """
    from threadpoolctl import threadpool_limits  # here, because whoever measures nothing does not need it

    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
