"""Reports on studies that `synthetic` has written."""

from pathlib import Path
from typing import Any

from gan_lab.report.analysis import analyze
from gan_lab.report.write import read_runs
from tests.helpers.synthetic import draws, make_run

Report = dict[str, Any]


def report_on(study: Path, **asked: Any) -> Report:
    return analyze(read_runs(study), **asked)


def row(report: Report, name: str, setting: int = 0) -> dict[str, Any]:
    """Return the row of a candidate, whether it is ranked or not."""
    part = report["settings"][setting]
    (found,) = [one for one in (*part["rows"], *part["unranked"]) if one["name"] == name]
    return found


def ranked(report: Report, setting: int = 0) -> list[str]:
    return [one["name"] for one in report["settings"][setting]["rows"]]


def sentences(report: Report, kind: str) -> list[str]:
    return [one["text"] for one in report["verdict"]["sentences"] if one["kind"] == kind]


def make_three(study: Path, seeds: int = 10, **more: Any) -> None:
    """Write a study in which elu is far ahead of relu, and relu of tanh."""
    for stream, (name, center) in enumerate([("elu", 1.0), ("relu", 5.0), ("tanh", 9.0)]):
        make_run(study, name, draws(center, 0.3, seeds, stream), **more)
