"""Which runs and seeds are compared, by which metric, and against whom; what must not be mixed is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gan_lab.report.candidates import Candidate, candidates, label, leaves, settings
from gan_lab.runs.run import Run, Seed
from gan_lab.runs.study import Study
from gan_lab.utils.errors import GanLabError

ENDED = ("finished", "diverged", "failed")


@dataclass(frozen=True)
class StudyRun:
    """A run with the names that it is compared under. exclusion_reason: why it is not counted, or None."""

    run: Run
    candidate: Candidate
    setting: str
    values: dict[str, str]
    exclusion_reason: str | None


@dataclass(frozen=True)
class Entry:
    """One counted seed. state: finished, diverged or failed; the latter two score worse than any other."""

    member: StudyRun
    seed: Seed
    state: str

    @property
    def name(self) -> str:
        return self.member.candidate.name

    @property
    def step(self) -> int:
        """Where its score was taken, or where it broke."""
        if self.seed.diverged is not None:
            return self.seed.diverged
        return int(self.seed.results["step"]) if self.seed.results else self.member.run.status.step

    def score(self, metric: str, kind: str = "last") -> float | None:
        """A score as it stands in the file; None where the seed failed or the score is undefined."""
        if self.state != "finished" and kind == "last":
            return None
        found = (self.seed.results or {}).get("metrics", {}).get(metric, {}).get(kind)
        return None if found is None else float(found)


# What a metric's direction means, in words.
BETTER = {"min": "lower", "max": "higher"}


@dataclass(frozen=True)
class Primary:
    """The metric that decides. declared: what the runs had, where the command line has another."""

    name: str
    direction: str
    worst: float | None
    declared: str | None


def members(study: Study) -> list[StudyRun]:
    """Every run with its candidate and setting; unfinished ones count where they stand where others ended."""
    runs = study.runs
    if not runs:
        raise GanLabError(f"{study.folder} has no readable run: " + "; ".join(study.damaged.values()))
    varied = settings(runs)
    ended = {(label(s), r.status.step) for r, s in zip(runs, varied, strict=True) if _finished(r)}
    reached = {(label(s), _measured_at(r)) for r, s in zip(runs, varied, strict=True)}
    # Where nobody has come to an end, those who stand at one and the same step can still be compared.
    level = ended or (reached if len({step for _, step in reached}) == 1 else set())
    found = []
    for run, candidate, values in zip(runs, candidates(runs), varied, strict=True):
        exclusion_reason = None
        if run.status.state not in ENDED and (label(values), _measured_at(run) or -1) not in level:
            exclusion_reason = f"{run.status.state} at step {run.status.step:,} of {run.status.steps:,}"
        found.append(StudyRun(run, candidate, label(values), values, exclusion_reason))
    if all(member.exclusion_reason for member in found):
        raise GanLabError(f"no run of {study.folder} has finished: gan-lab ls shows how far they are")
    return found


def entries(found: Sequence[StudyRun], notes: list[str]) -> list[Entry]:
    """The counted seeds, one of each number for a candidate in a setting; what was left out is noted."""
    kept: dict[tuple[str, str, int], Entry] = {}
    counted = sorted((m for m in found if m.exclusion_reason is None), key=lambda m: m.run.status.started)
    unmeasured = []
    for member in counted:
        for seed in member.run.seeds:
            entry = Entry(member, seed, _state(member.run, seed))
            if entry.state == "finished" and not seed.results:
                unmeasured.append(seed)
                continue
            key = (entry.name, member.setting, seed.number)
            if key in kept:
                notes.append(
                    f"Seed {seed.number} of {entry.name}{_in(member.setting)} was trained twice: "
                    f"{member.run.name} counts, {kept[key].member.run.name} does not."
                )
            kept[key] = entry
    if unmeasured:
        study = counted[0].run.folder.parent
        raise GanLabError(
            f"{unmeasured[0].folder} has no results.json: gan-lab evaluate '{study}' measures it"
            + (f" and {len(unmeasured) - 1} more" if len(unmeasured) > 1 else "")
        )
    _refuse_old_results(kept.values())
    return list(kept.values())


def primary(found: Sequence[Entry], asked: str | None) -> Primary:
    """The metric that decides: asked for, else declared in the configuration, else each run's own first."""
    measured = [entry for entry in found if entry.seed.results]
    if not measured:
        raise GanLabError("nothing was measured: every seed has failed or diverged before its first score")
    declared = {entry.member.run.name: _declared(entry) for entry in measured}
    name = asked or _only(declared, "declared", "as the metric that decides", "--primary names one")
    for entry in measured:
        if name not in entry.seed.results["metrics"]:  # type: ignore[index]
            known = set.intersection(*(set(e.seed.results["metrics"]) for e in measured if e.seed.results))
            raise GanLabError(
                f"{name!r} was not measured in every run ({entry.member.run.name} lacks it); "
                f"all have {', '.join(sorted(known)) or 'nothing in common'}"
            )
    spec = metric_spec(measured, name)
    others = sorted({value for value in declared.values() if value != name})
    return Primary(name, spec["direction"], spec["worst"], ", ".join(others) or None)


def metric_spec(found: Sequence[Entry], metric: str) -> dict[str, Any]:
    """Direction, worst value and real data's score of a metric, from the first seed that has it."""
    for entry in found:
        spec = (entry.seed.results or {}).get("metrics", {}).get(metric)
        if spec:
            return {key: spec.get(key) for key in ("direction", "worst", "real_data")}
    raise GanLabError(f"no seed has a score called {metric!r}")


def reference(found: Sequence[Entry], asked: str | None, notes: list[str]) -> tuple[str, str | None]:
    """The candidate that all are compared with, and the declared one where it is another."""
    names = sorted({entry.name for entry in found})
    said = {e.member.run.name: str((e.member.run.config.get("report") or {}).get("reference")) for e in found}
    wanted = asked or _only(said, "declared", "as the reference", "--reference names one")
    known = [e for e in found if wanted in (e.name, e.member.candidate.base)]
    fitting = [wanted] if wanted in names else sorted({entry.name for entry in known})
    declared = next(iter(sorted(set(said.values()) - {wanted})), None) if asked else None
    if not fitting and asked:
        raise GanLabError(f"--reference must be one of {', '.join(names)}, got {asked!r}")
    if not fitting:
        notes.append(
            f"The reference {wanted} is not in the study; all are compared with {names[0]}, "
            "the first by alphabet (--reference names another)."
        )
        return names[0], None
    if len(fitting) > 1:
        notes.append(f"The reference {wanted} was tried as {', '.join(fitting)}; {fitting[0]} is taken.")
    return fitting[0], declared


def check_comparable(found: Sequence[Entry]) -> None:
    """Scores of one data set must come from one extractor, one sample count and one kind of real samples."""
    seen: dict[str, tuple[Entry, str]] = {}
    for entry in found:
        results = entry.seed.results
        if results is None:
            continue
        features, samples = results["features"], results["samples"]
        how = (
            f"{features['name']} features {features['hash']}, {samples['fake']} samples against "
            f"{samples['real']} {samples['reference']} ones"
        )
        data = repr(sorted(leaves({"d": entry.member.run.config.get("dataset") or {}}).items()))
        first, before = seen.setdefault(data, (entry, how))
        if before != how:
            raise GanLabError(
                f"{first.member.run.name} was measured by {before}, {entry.member.run.name} by {how}, which "
                f"cannot stand in one table: gan-lab evaluate '{entry.member.run.folder.parent}' --force "
                "measures all in the same way"
            )


def _declared(entry: Entry) -> str:
    declared = (entry.member.run.config.get("report") or {}).get("primary")
    return str(declared or (entry.seed.results or {})["primary"])


def _only(values: dict[str, str], verb: str, role: str, way_out: str) -> str:
    """The one value that all runs agree on."""
    (first, value), *others = values.items()
    for run, other in others:
        if other != value:
            raise GanLabError(f"{first} has {verb} {value} {role}, {run} {other}: {way_out}")
    return value


def _state(run: Run, seed: Seed) -> str:
    if seed.diverged is not None:
        return "diverged"
    return "failed" if run.status.state == "failed" else "finished"


def _finished(run: Run) -> bool:
    return run.status.state == "finished"


def _measured_at(run: Run) -> int | None:
    """The step at which all seeds that still train were measured, or None."""
    steps = {seed.results["step"] if seed.results else None for seed in run.seeds if seed.diverged is None}
    return steps.pop() if len(steps) == 1 else None


def _refuse_old_results(found: Any) -> None:
    for entry in found:
        status = entry.member.run.status
        if entry.state == "finished" and status.state == "finished" and entry.step != status.step:
            raise GanLabError(
                f"{entry.seed.folder} was measured at step {entry.step}, but stands at {status.step}: "
                f"gan-lab evaluate '{entry.member.run.folder}' measures it anew"
            )


def _in(setting: str) -> str:
    return f" at {setting}" if setting else ""
