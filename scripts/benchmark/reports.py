"""Row of the benchmark: how the time of a report grows with the runs of a study."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from loops import Line

sys.path.append(str(Path(__file__).parents[2]))  # the tests' writer of studies
from tests.helpers.synthetic import draws, make_run

SEEDS = 5
# The peak of the process itself: what getrusage says includes the one that started it.
_COMMAND = """
import sys
from pathlib import Path
from gan_lab.cli import main
sys.argv = ["gan-lab", "report", sys.argv[1]]
try:
    main()
finally:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    print("peak", *(line.split()[1] for line in lines if line.startswith("VmHWM")), file=sys.stderr)
"""


def report(device: torch.device, quick: bool) -> Iterator[Line]:
    """`gan-lab report` on studies of up to 500 candidates in two runs each, and of up to 300 settings."""
    for candidates in (10, 50) if quick else (10, 100, 500):
        with tempfile.TemporaryDirectory() as folder:
            for k in range(candidates):
                for half in range(2):
                    _run(Path(folder), k, 2 * k + half, name=f"a{k}-{half}", first=SEEDS * half)
            yield {"what": f"{candidates} candidates, {2 * candidates} runs", **_measure(folder)}
    for settings in (10,) if quick else (10, 100, 300):
        with tempfile.TemporaryDirectory() as folder:
            for k in range(2 * settings):
                rate = {"optimizer.lr": 1e-5 * (k // 2 + 1)}
                _run(Path(folder), k % 2, k, name=f"a{k % 2}-{k // 2}", changes=rate)
            yield {"what": f"{settings} settings, {2 * settings} runs", **_measure(folder)}


def _run(folder: Path, candidate: int, stream: int, **more: object) -> None:
    scores = draws(100 + candidate / 3, 8, SEEDS, stream)
    make_run(folder, f"a{candidate}", scores, untrained=500.0, real_data=19.0, **more)  # type: ignore[arg-type]


def _measure(folder: str) -> Line:
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _COMMAND, folder], check=True, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    page = Path(folder, "report", "index.html").stat().st_size
    line = {"s": seconds, "MB of the page": page / 1e6}
    peak = done.stderr.rpartition("peak")[2].strip()  # only Linux says it
    return {**line, "MB at most": int(peak) / 1000} if peak else line
