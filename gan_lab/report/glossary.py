"""What each number on the page means, as the metrics' own classes say it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gan_lab.report.declared import PrimaryMetric, metric_spec
from gan_lab.report.entries import Entry
from gan_lab.report.scoring import real_data_draws, untrained_scores


def glossary(entries: Sequence[Entry], metric: PrimaryMetric) -> list[dict[str, Any]]:
    """Return one line per score that was measured in every seed, the deciding one first.

    {"name", "meaning", "range", "direction", "real_data", "untrained"}; real_data and untrained hold [lowest,
    highest] over all settings, None if not measured.
    """
    measured = [entry for entry in entries if entry.results]
    names = list(dict.fromkeys(name for entry in measured for name in entry.results["metrics"]))
    names.sort(key=lambda name: name != metric.name)
    return [_line(name, [entry for entry in measured if entry.metric(name)]) for name in names]


def _line(name: str, entries: Sequence[Entry]) -> dict[str, Any]:
    spec = metric_spec(entries, name)
    settings = {entry.study_run.setting: entry for entry in reversed(entries)}
    real = [float(np.mean(draws)) for e in settings.values() if (draws := real_data_draws(e.metric(name)))]
    untrained = [value for value in untrained_scores(entries, name) if value is not None]
    return {
        "name": name,
        "meaning": str(spec.get("meaning") or ""),
        "range": spec.get("range"),
        "direction": spec["direction"],
        "real_data": [min(real), max(real)] if real else None,
        "untrained": [min(untrained), max(untrained)] if untrained else None,
    }
