"""Which scores may stand in one table: those of one data set, measured in one way."""

from collections.abc import Sequence

from gan_lab.report.entries import Entry, StudyRun
from gan_lab.report.strata import leaves
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.paths import quoted
from gan_lab.utils.text import plural


def check_comparable(entries: Sequence[Entry]) -> None:
    """Raise GanLabError if runs of one data set were trained on other data or measured in other ways."""
    trained: dict[str, StudyRun] = {}
    measured: dict[str, Entry] = {}
    for entry in entries:
        data = _data_set(entry.study_run)
        _check_data(trained.setdefault(data, entry.study_run), entry.study_run)
        if entry.results:
            _check_measurement(measured.setdefault(data, entry), entry)


def _data_set(study_run: StudyRun) -> str:
    """Return what tells data sets apart: their configuration, wherever it lies."""
    node = leaves(study_run.run.config.get("dataset") or {})
    return repr(sorted((key, value) for key, value in node.items() if key != "root"))


def _check_data(first: StudyRun, other: StudyRun) -> None:
    """Compare the fingerprints of what two runs were trained on; a run of before there were any has none."""
    ours, theirs = first.run.status, other.run.status
    if not ours.data_fingerprint or not theirs.data_fingerprint:
        return
    if ours.data_fingerprint != theirs.data_fingerprint:
        sizes = [plural(status.data_samples, "sample") for status in (ours, theirs)]
        counts = f"{sizes[0]} and {sizes[1]}" if sizes[0] != sizes[1] else f"{sizes[0]} of other content"
        raise GanLabError(
            f"{first.run.name} and {other.run.name} were trained on different data ({counts}), which cannot "
            "stand in one table: move one of them away, or train it again with rerun=true"
        )


def _check_measurement(first: Entry, other: Entry) -> None:
    """Compare extractors, sample counts and real samples."""
    before, after = _measurement(first), _measurement(other)
    if before != after:
        folder = other.study_run.run.folder.parent
        raise GanLabError(
            f"{first.study_run.run.name} was measured by {before}, {other.study_run.run.name} by {after}, "
            f"which cannot stand in one table: gan-lab evaluate {quoted(folder)} --force "
            "measures all in one way"
        )


def _measurement(entry: Entry) -> str:
    features, samples = entry.results["features"], entry.results["samples"]
    data = entry.results.get("data_fingerprint")
    fingerprint = f" of data {data[:8]}" if data else ""
    return (
        f"{features['name']} features {features['hash']}, {samples['fake']} samples against "
        f"{samples['real']} {samples['reference']} ones{fingerprint}"
    )
