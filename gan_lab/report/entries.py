"""What counts as evidence: complete runs and their seeds. A run that did not end by itself is missing."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gan_lab.report.candidates import Candidate, candidates
from gan_lab.report.series import SeedSeries, read_series
from gan_lab.report.strata import setting_name, settings
from gan_lab.runs.run import Run, Seed
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.text import plural, truncate

# How a seed of a complete run ended. Only divergence counts against an activation.
FINISHED, DIVERGED = "finished", "diverged"


@dataclass(frozen=True)
class StudyRun:
    """A run with the names that it is compared under.

    setting: name of its setting, empty if there is only one; target: steps that runs of it have; series: of a
    complete run, by seed; exclusion_reason: why its seeds are no evidence, None if the run is complete;
    remedy: what completes it, "train", "longer" (to the target), "evaluate", "repair" or "wait".
    """

    run: Run
    candidate: Candidate
    setting: str
    values: dict[str, str]
    target: int
    series: dict[int, SeedSeries]
    exclusion_reason: str | None = None
    remedy: str = ""

    @property
    def name(self) -> str:
        return self.candidate.name


@dataclass(frozen=True)
class Entry:
    """One seed that counts. state: finished or diverged."""

    study_run: StudyRun
    seed: Seed

    @property
    def name(self) -> str:
        return self.study_run.candidate.name

    @property
    def state(self) -> str:
        return FINISHED if self.seed.diverged is None else DIVERGED

    @property
    def series(self) -> SeedSeries:
        return self.study_run.series[self.seed.number]

    @cached_property
    def results(self) -> dict[str, Any]:
        return self.seed.results or {}

    def metric(self, name: str) -> dict[str, Any]:
        """Return what ``results.json`` holds of a score, nothing if it was not measured."""
        spec: dict[str, Any] = self.results.get("metrics", {}).get(name) or {}
        return spec

    def score(self, metric: str, kind: str = "last") -> float | None:
        """Return a score as the file has it; None if the seed diverged or the score is undefined."""
        if self.state == DIVERGED and kind == "last":
            return None
        value = self.metric(metric).get(kind)
        return None if value is None else float(value)


def study_runs(runs: Sequence[Run], on_read: Callable[[int], None] = lambda done: None) -> list[StudyRun]:
    """Read every run: its candidate and setting, its logs, and why it is no evidence if it is none."""
    values = settings(runs)
    named = [setting_name(one) for one in values]
    finished: dict[str, Counter[int]] = {}
    for run, setting in zip(runs, named, strict=True):
        if run.status.state == "finished":
            finished.setdefault(setting, Counter())[run.status.step] += 1
    listed = []
    for run, candidate, setting, one in zip(runs, candidates(runs), named, values, strict=True):
        target = max(finished.get(setting, [run.status.steps]))
        reason, remedy = _exclusion(run, target, finished.get(setting, Counter())[target]) or (None, "")
        series: dict[int, SeedSeries] = {}
        if reason is None:
            try:
                series = {seed.number: read_series(seed) for seed in run.seeds}
            except GanLabError as error:
                reason, remedy = str(error), "repair"
        listed.append(StudyRun(run, candidate, setting, one, target, series, reason, remedy))
        on_read(len(listed))
    return listed


def entries(study_runs: Iterable[StudyRun], notes: list[str]) -> list[Entry]:
    """Return the seeds of complete runs, one of each number per candidate and setting, the latest.

    What was left out because of that is noted.
    """
    kept: dict[tuple[str, str, int], Entry] = {}
    complete = [one for one in study_runs if one.exclusion_reason is None]
    for study_run in sorted(complete, key=lambda one: one.run.status.started):
        for seed in study_run.run.seeds:
            key = (study_run.name, study_run.setting, seed.number)
            if key in kept:
                where = f" at {study_run.setting}" if study_run.setting else ""
                notes.append(
                    f"Seed {seed.number} of {study_run.name}{where} was trained twice: "
                    f"{study_run.run.name} counts, {kept[key].study_run.run.name} does not."
                )
            kept[key] = Entry(study_run, seed)
    return list(kept.values())


def by_candidate(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    groups: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.name, entry.seed.number)):
        groups.setdefault(entry.name, []).append(entry)
    return groups


def _exclusion(run: Run, target: int, at_target: int) -> tuple[str, str] | None:
    """Return (why a run is no evidence, what completes it), None if it is complete.

    target: the last step of any finished run of the setting, which ``at_target`` runs have reached.
    """
    state, status = run.state, run.status
    if state in ("failed", "interrupted", "running"):
        told = status.reason.rpartition(f"{run.name}: ")[2]  # which run it is, is known here
        why = f" ({truncate(told)})" if told and state != "running" else ""
        text = "is running" if state == "running" else state
        remedy = "wait" if state == "running" else "train"
        return f"{text} at step {run.step:,} of {status.steps:,}{why}", remedy
    if state == "finished" and status.step < target:
        others = f"{plural(at_target, 'run')} of this setting at {target:,}"
        return f"finished at step {status.step:,}, {others}", "longer"
    return _unmeasured(run)


def _unmeasured(run: Run) -> tuple[str, str] | None:
    """Return why the scores of a run that has ended are missing, and what to do."""
    for seed in run.seeds:
        try:
            results = seed.results
        except GanLabError as error:
            return str(error), "repair"
        if seed.diverged is None and results is None:
            return "was not measured", "evaluate"
        if results is not None and seed.diverged is None and results["step"] != run.status.step:
            measured = f"measured at step {results['step']:,}, but trained to {run.status.step:,}"
            return measured, "evaluate"
    return None
