"""One run's folder as it is on the disk, each file read when it is asked for. Imports no torch."""

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from gan_lab.runs.config_file import read_config, read_hydra_record
from gan_lab.runs.folder import is_running, seed_folder
from gan_lab.runs.results import read_results
from gan_lab.runs.samples import grid_size, sample_grids
from gan_lab.runs.sittings import Sitting, environment_changes
from gan_lab.runs.stats import last_step, read_stats
from gan_lab.runs.status import ENDED, Status
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.text import format_number


@dataclass(frozen=True)
class Seed:
    """One seed's folder. diverged: at which step, None if it has not; measured_from: see `Status`."""

    number: int
    folder: Path
    diverged: int | None = None
    measured_from: int = 0

    @cached_property
    def results(self) -> dict[str, Any] | None:
        """Its ``results.json``, None if there is none; raises GanLabError if it is corrupt."""
        return read_results(self.folder)

    @property
    def last_step(self) -> int:
        """Step of the last line of ``stats.jsonl``: a status is written only now and then."""
        return last_step(self.folder)

    @property
    def pictures(self) -> list[Path]:
        """Its sample grids, the latest last."""
        return sample_grids(self.folder)

    def stats(self) -> list[dict[str, Any]]:
        """Read ``stats.jsonl`` without scores that were made otherwise; raises GanLabError if corrupt."""
        return read_stats(self.folder, self.measured_from)


@dataclass(frozen=True)
class Run:
    """One run's folder, read-only. ``status`` is as of when it was loaded; the rest is read on first use."""

    folder: Path
    status: Status

    @classmethod
    def load(cls, folder: Path) -> "Run":
        """Read the run in a folder; raises GanLabError if there is none, or if its status is corrupt."""
        status = Status.load(folder) if folder.is_dir() else None
        if status is None:
            raise GanLabError(f"{folder} is not the folder of a run: there is no status.json in it")
        return cls(folder, status)

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @cached_property
    def seeds(self) -> list[Seed]:
        status = self.status
        return [
            Seed(number, seed_folder(self.folder, number), status.diverged.get(number), status.measured_from)
            for number in status.seeds
        ]

    @cached_property
    def config(self) -> dict[str, Any]:
        """Its ``config.yaml`` as plain values; raises GanLabError if it is missing or corrupt."""
        return read_config(self.folder)

    @cached_property
    def overrides(self) -> list[str] | None:
        """What was typed, None if Hydra left no record of it."""
        overrides = read_hydra_record(self.folder, "overrides.yaml")
        return [str(override) for override in overrides] if isinstance(overrides, list) else None

    @cached_property
    def config_dir(self) -> str | None:
        """Folder of the caller's own YAML files (``--config-dir``), if one was given."""
        hydra = read_hydra_record(self.folder, "hydra.yaml")
        try:
            sources = hydra["hydra"]["runtime"]["config_sources"]
            return next((str(s["path"]) for s in sources if s["provider"] == "command-line"), None)
        except (KeyError, TypeError):
            return None

    @property
    def state(self) -> str:
        """The state in its status; "interrupted" if it says that it is running, and its process is gone."""
        gone = self.status.state == "running" and not is_running(self.folder, self.status)
        return "interrupted" if gone else self.status.state

    @property
    def step(self) -> int:
        """Generator steps done, by its status or, until it has ended, by its seeds' logs."""
        if self.status.state in ENDED:
            return self.status.step
        reached = max([self.status.step, *(seed.last_step for seed in self.seeds)])
        return min(reached, self.status.steps)

    @property
    def sittings(self) -> list[Sitting]:
        """The processes that have trained it, one after the other; more than one if it was resumed."""
        return self.status.sittings

    @property
    def environment_changes(self) -> list[str]:
        """What its sittings differ in, such as "threads 1, then 2": its last bits may not come again."""
        return environment_changes(self.status.sittings)

    def verify(self) -> None:
        """Read all but scores and logs; raises GanLabError if any of it is missing or corrupt."""
        assert self.config
        _ = self.overrides, self.config_dir
        for seed in self.seeds:
            for grid in seed.pictures[-1:]:
                grid_size(grid, self.folder)


def describe_scores(run: Run) -> tuple[str, str, str] | None:
    """Return the primary score's name, its value for every seed, and that of real data; None without any."""
    results = []
    with suppress(GanLabError):  # a corrupt file is not worth a failure here
        results = [seed.results for seed in run.seeds if seed.results is not None]
    if not results:
        return None
    primary = results[0]["primary"]
    last = [one["metrics"][primary]["last"] for one in results]
    scores = ", ".join(map(format_number, last[:8])) + (", ..." if len(last) > 8 else "")
    return primary, scores, format_number(results[0]["metrics"][primary]["real_data"])
