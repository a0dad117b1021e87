"""One live table of a sweep in a terminal: where it is, and state, step and score of each run.

All that is printed meanwhile, by this process and by its workers, goes to a file, whose lines are then
written above the table. Imports no torch.
"""

import re
import shutil
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from gan_lab.runs.listing import headline
from gan_lab.runs.log import LOG
from gan_lab.runs.run import Run
from gan_lab.runs.stats import last_scores
from gan_lab.runs.status import ENDED, Status
from gan_lab.sweeps.overall import Snapshot, snapshot, where
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.progress import steps_shown_elsewhere
from gan_lab.utils.tables import format_table, shorten
from gan_lab.utils.terminal import LiveBlock, TerminalStream
from gan_lab.utils.text import format_number

_POLL_SECONDS = 0.25  # for what is printed
_SECONDS = 1.0  # between two looks at the runs
_SHARE = 0.1  # of the time, at most, for these looks
_MOST_ROWS = 12
_SHORTEST = 12  # characters of a name; where there is room for fewer, the steps are left out

_output: Path | None = None


def live_output() -> Path | None:
    """Return the file to which workers are to print; None where they have the terminal for themselves."""
    return _output


@contextmanager
def live_table(stream: TerminalStream, folders: Sequence[Path]) -> Iterator[None]:
    """Show the runs in ``folders`` on a terminal until the end of what happens inside."""
    global _output
    block, done = LiveBlock(stream), threading.Event()
    with TemporaryDirectory(prefix="gan-lab-") as folder, ExitStack() as stack:
        printed = _Printed(Path(folder) / "printed")
        thread = threading.Thread(target=_draw, args=(block, printed, folders, done), daemon=True)
        stack.callback(lambda: block.close(printed.new(whole_lines=False)))
        with (
            printed.path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace") as file,
            redirect_stdout(file),
            redirect_stderr(file),
            steps_shown_elsewhere(),
        ):
            _output = printed.path
            thread.start()
            try:
                yield
            finally:
                _output = None
                done.set()
                thread.join()


class _Printed:
    """What was printed to a file, piece by piece."""

    def __init__(self, path: Path) -> None:
        self.path, self._offset = path, 0

    def new(self, *, whole_lines: bool = True) -> str:
        """Return what has come since the last call, ended by a line break."""
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        if whole_lines:
            data = data[: data.rfind(b"\n") + 1]
        self._offset += len(data)
        text = data.decode("utf-8", "backslashreplace")
        return text if text.endswith("\n") or not text else f"{text}\n"


def _draw(block: LiveBlock, printed: _Printed, folders: Sequence[Path], done: threading.Event) -> None:
    before = [snapshot(folder) for folder in folders]
    statuses = [_status(folder) for folder in folders]
    begun = time.monotonic()
    lines: list[str] = []
    next_look = begun
    while not done.wait(_POLL_SECONDS):
        text = printed.new()
        if (now := time.monotonic()) >= next_look:
            with suppress(GanLabError, OSError):  # a file that is being replaced: the next look sees it
                lines = table(folders, before, statuses, now - begun)
            next_look = time.monotonic() + max(_SECONDS, (time.monotonic() - now) / _SHARE)
        elif not text:
            continue
        block.show(lines, text)


class _Row(NamedTuple):
    name: str
    state: str
    steps: str = ""
    score: str = ""
    metric: str = ""


def table(
    folders: Sequence[Path],
    before: Sequence[Snapshot],
    statuses: Sequence[Status | None],
    seconds: float,
) -> list[str]:
    """Return where a sweep is and its runs, as many as the terminal has room for.

    before, statuses: what `snapshot` and `Status.load` found when it began, so many seconds ago.
    """
    columns, lines = shutil.get_terminal_size()
    heading, names = _names(folders)
    rows = [_row(folder, status, name) for folder, status, name in zip(folders, statuses, names, strict=True)]
    most = min(_MOST_ROWS, max(lines - 5, 1))
    shown = sorted(sorted(range(len(rows)), key=lambda index: _urgency(rows, index))[:most])
    metrics = {row.metric for row in rows if row.metric}
    metric = metrics.pop() if len(metrics) == 1 else "score"
    cells: list[tuple[str, ...]] = [
        (heading, "state", "steps", metric),
        *(rows[index][:4] for index in shown),
    ]
    if _room(cells, columns) < _SHORTEST:
        cells = [(name, state, score) for name, state, _, score in cells]
    room = max(_room(cells, columns), 1)
    text = format_table([(shorten(row[0], room), *row[1:]) for row in cells], left=(0, 1))
    hidden = Counter(row.state for index, row in enumerate(rows) if index not in shown)
    if hidden:
        kinds = ", ".join(f"{count:,} {state}" for state, count in hidden.items())
        text.append(f"and {sum(hidden.values()):,} more: {kinds}")
    return [where(folders, before, seconds), *(f"  {line}" for line in text)]


def _room(cells: Sequence[Sequence[str]], columns: int) -> int:
    """Return how many characters of a terminal's columns the others leave to the first one."""
    _, *others = zip(*cells, strict=True)
    return columns - 3 - sum(max(map(len, column)) + 2 for column in others)


def _urgency(rows: Sequence[_Row], index: int) -> tuple[int, int]:
    """Sort what is shown first: runs that train, then failures, the last ones that ended, the next ones."""
    state = rows[index].state
    if state in ("training", "starting"):
        return 0, index
    if state not in (*ENDED, "pending"):
        return 1, -index
    return (2, -index) if state in ENDED else (3, index)


def _names(folders: Sequence[Path]) -> tuple[str, list[str]]:
    """Return a heading and the names of runs, without the digits at their end where they are still distinct.

    If the names have the same keys, these are the heading, and only values are left: "relu, 0.001".
    """
    names = [folder.name for folder in folders]
    plain = [re.sub(r"-[0-9a-f]{8}$", "", name) for name in names]
    if len(set(plain)) < len(plain):
        return "run", names
    words = [[word.partition("=") for word in re.split(r",(?=[+~]*[\w.@]+=)", name)] for name in plain]
    keys = [[key for key, _, _ in one] for one in words]
    if all(one == keys[0] for one in keys):
        return ", ".join(keys[0]), [", ".join(value for _, _, value in one) for one in words]
    return "run", plain


def _row(folder: Path, before: Status | None, name: str) -> _Row:
    status = _status(folder)
    if status is None or (status == before and status.state not in ENDED):
        return _Row(name, "starting" if status is None and (folder / LOG).exists() else "pending")
    run = Run(folder, status)
    state = "training" if run.state == "running" else run.state
    metric, value = _score(run)
    return _Row(name, state, f"{run.step:,}/{status.steps:,}", value, metric)


def _status(folder: Path) -> Status | None:
    with suppress(GanLabError, OSError):
        return Status.load(folder) if folder.is_dir() else None
    return None


def _score(run: Run) -> tuple[str, str]:
    """Return the deciding metric and the median of its last score over seeds, also while the run trains."""
    with suppress(GanLabError, OSError):
        told = headline(run)
        if told["metric"] is not None:
            return told["metric"], format_number(told["median"], "failed")
        scores = [last_scores(seed.folder, seed.measured_from) for seed in run.seeds]
        metric = (run.config.get("report") or {}).get("primary") or next(iter(scores[0]), "")
        values = [value for one in scores if (value := one.get(metric)) is not None]
        if values:
            return metric, format_number(statistics.median(values))
    return "", ""
