"""How the error of one run leaves Hydra: as one sentence, and without the memory of the run that failed."""

import gc
import os
import sys
import traceback
from collections.abc import Callable

from gan_lab.utils.errors import GanLabError, HydraPassthrough


def run_as_job(task: Callable[[], None], *, single: bool) -> None:
    """Call ``task``, which trains the only run (``single``) or one of a sweep.

    Hydra reports every `Exception` in its own way, so the error of a single run passes through it as
    `HydraPassthrough`. The error of one run of a sweep is raised again without its frames.
    """
    failure = None
    try:
        task()
    except GanLabError as error:
        if single:
            raise HydraPassthrough(error) from error
        if os.environ.get("GAN_LAB_DEBUG"):
            traceback.print_exc()
        failure = type(error)(str(error))
    if failure is not None:
        # The first error holds everything its frames held, and the sweep's next run needs that memory.
        gc.collect()
        release_gpu_memory()
        raise failure


def release_gpu_memory() -> None:
    """Give back what PyTorch keeps of a GPU after a run, so that others and the next run have it.

    Nothing is imported and nothing is done where this process has used no GPU.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()  # networks and their steps refer to each other
        torch.cuda.empty_cache()
