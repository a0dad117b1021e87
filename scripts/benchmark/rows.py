"""All rows, and what each of them needs beside gan-lab itself."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec

import torch

from cost import activations, machine, overhead, own, startup
from data import DISK_BYTES, data
from loops import Line
from reports import report
from speed import compiled, one_run, seeds, sweep

# name -> function of a device and of whether to be quick, which yields lines
ROWS: dict[str, Callable[[torch.device, bool], Iterator[Line]]] = {
    "one_run": one_run,
    "seeds": seeds,
    "compiled": compiled,
    "sweep": sweep,
    "overhead": overhead,
    "own": own,
    "machine": machine,
    "startup": startup,
    "activations": activations,
    "data": data,
    "report": report,
}


def requirements(names: Sequence[str], device: torch.device, quick: bool) -> list[str]:
    """What these rows lack here, one sentence each."""
    sentences = []
    if "sweep" in names and device.type == "cpu" and find_spec("hydra_plugins.hydra_joblib_launcher") is None:
        sentences.append("the row sweep needs the extra joblib: pip install 'gan-lab[joblib]'")
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if "data" in names and not quick and free < DISK_BYTES:
        sentences.append(
            f"the row data needs {DISK_BYTES / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB free: "
            "give it --quick or another TMPDIR"
        )
    return sentences
