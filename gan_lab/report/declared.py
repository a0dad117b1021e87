"""What was declared before the runs: the deciding metric, the reference, the smallest relevant difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gan_lab.config.aliases import entry_called
from gan_lab.config.schema import check_margin
from gan_lab.report.comparison import Margin
from gan_lab.report.entries import Entry, StudyRun
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.text import format_number

# What a metric's direction means, in words.
BETTER = {"min": "lower", "max": "higher"}


@dataclass(frozen=True)
class PrimaryMetric:
    """The metric that decides. declared: what the runs had, if the command line named another."""

    name: str
    direction: str
    worst: float | None
    declared: str | None

    @property
    def sign(self) -> float:
        """What turns a score, of which higher is better, into the metric's own value."""
        return -1.0 if self.direction == "min" else 1.0


@dataclass(frozen=True)
class Reference:
    """The candidate that all others are compared with, None if the study has none of that name."""

    name: str | None
    wanted: str
    declared: str | None


@dataclass(frozen=True)
class DeclaredMargin:
    """The smallest difference that matters. post_hoc: whether it was named after the runs."""

    margin: Margin
    text: str
    post_hoc: bool


def primary_metric(entries: Sequence[Entry], asked: str | None) -> PrimaryMetric:
    """Choose the metric that decides: asked for, else declared in the configuration, else the runs' first."""
    measured = [entry for entry in entries if entry.results]
    if not measured:
        raise GanLabError("nothing was measured: there is no complete run with a results.json")
    declared = {entry.study_run.run.name: _declared_metric(entry) for entry in measured}
    name = asked or _single_value(declared, "declared {} as the metric that decides", "--primary")
    for entry in measured:
        if not entry.metric(name):
            known = set.intersection(*(set(e.results["metrics"]) for e in measured))
            raise GanLabError(
                f"{name!r} was not measured in every run ({entry.study_run.run.name} lacks it); "
                f"all have {', '.join(sorted(known)) or 'nothing in common'}"
            )
    spec = metric_spec(measured, name)
    others = sorted({value for value in declared.values() if value != name})
    return PrimaryMetric(name, spec["direction"], spec.get("worst"), ", ".join(others) or None)


def metric_spec(entries: Sequence[Entry], metric: str) -> dict[str, Any]:
    """Return what ``results.json`` holds of a metric, from the first seed that has it."""
    for entry in entries:
        if spec := entry.metric(metric):
            return spec
    raise GanLabError(f"no seed has a score called {metric!r}")


def reference(study_runs: Sequence[StudyRun], asked: str | None, notes: list[str]) -> Reference:
    """Find the candidate that all are compared with, among all runs, whether complete or not.

    One that the study does not have is never replaced by another. Raises GanLabError if the command line
    asks for one that the study does not have.
    """
    names = sorted({one.name for one in study_runs})
    declared = {one.run.name: str(_declared(one, "reference")) for one in study_runs}
    wanted = asked or _single_value(declared, "declared {} as the reference", "--reference")
    fitting = _called(wanted, study_runs)
    if not fitting and (entry := entry_called("activation", wanted)):  # lrelu is leaky_relu
        wanted, fitting = entry, _called(entry, study_runs)
    other = next(iter(sorted(set(declared.values()) - {wanted})), None) if asked else None
    if not fitting and asked:
        raise GanLabError(f"--reference must be one of {', '.join(names)}, got {asked!r}")
    if not fitting:
        notes.append(
            f"The reference {wanted} is not in the study, so nothing is compared with a reference "
            "(--reference names one)."
        )
        return Reference(None, wanted, None)
    if len(fitting) > 1:
        notes.append(f"The reference {wanted} was tried as {', '.join(fitting)}; {fitting[0]} is taken.")
    return Reference(fitting[0], wanted, other)


def _called(name: str, study_runs: Sequence[StudyRun]) -> list[str]:
    """Return the candidate of that name, else all that are this activation with other parameters."""
    names = {one.name for one in study_runs}
    return [name] if name in names else sorted({r.name for r in study_runs if r.candidate.base == name})


def margin(study_runs: Sequence[StudyRun], metric: PrimaryMetric, asked: str | None) -> DeclaredMargin | None:
    """Read the margin that was asked for or declared; None if there is none for this metric."""
    declared = {one.run.name: _declared(one, "margin") for one in study_runs}
    if asked is not None:
        parsed = check_margin("--margin", asked)
    else:
        value = _single_value(declared, "declared {} as report.margin", "--margin")
        parsed = check_margin("report.margin", value)
    if parsed is None or parsed.metric not in (None, metric.name):
        return None
    text = f"{parsed.value:.3g} in {metric.name}"
    if parsed.share:
        text = f"{format_number(100 * parsed.value, compact=True)} %"
    post_hoc = asked is not None and any(value != asked for value in map(str, declared.values()))
    return DeclaredMargin(Margin(parsed.value, parsed.share), text, post_hoc)


def _declared(study_run: StudyRun, key: str) -> Any:
    return (study_run.run.config.get("report") or {}).get(key)


def _declared_metric(entry: Entry) -> str:
    return str(_declared(entry.study_run, "primary") or entry.results["primary"])


def _single_value(values: Mapping[str, Any], verb: str, option: str) -> Any:
    """Return the one value that all runs agree on."""
    (first, value), *others = values.items()
    for run, other in others:
        if other != value:
            raise GanLabError(
                f"{first} has {verb.format(value)}, {run} has {verb.format(other)}: {option} names one "
                "for all"
            )
    return value
