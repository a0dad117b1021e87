"""``results.json``: the scores of one seed. Imports no torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_lab.runs.formats import damaged, read_record
from gan_lab.utils.files import atomic_write

RESULTS = "results.json"
RESULTS_FORMAT = 2
_REMEDY = "gan-lab evaluate writes it again"


def write_results(
    folder: Path,
    *,
    seed: int,
    step: int,
    evaluation_digest: str,
    data_fingerprint: str,
    data_samples: int,
    primary: str,
    features: Mapping[str, Any],
    samples: Mapping[str, Any],
    skipped_metrics: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Write ``results.json`` into a seed's folder, and return what is in it.

    step: of the weights that were measured; data_fingerprint, data_samples: of the training data; primary:
    the score that decides; features: name, hash and dimensions of the extractor; samples: how many of each
    kind, and which real ones; metrics: score -> last, best, best_step and mean over training, real_data
    and its single draws, direction, worst, and what it means; skipped_metrics: metric -> why.
    """
    content = {
        "format": RESULTS_FORMAT,
        "seed": seed,
        "step": step,
        "primary": primary,
        "features": dict(features),
        "samples": dict(samples),
        "evaluation_digest": evaluation_digest,
        "data_fingerprint": data_fingerprint,
        "data_samples": data_samples,
        "skipped_metrics": dict(skipped_metrics),
        "metrics": {name: dict(score) for name, score in metrics.items()},
    }
    atomic_write(folder / RESULTS, json.dumps(content, indent=2) + "\n")
    return content


def read_results(folder: Path) -> dict[str, Any] | None:
    """Read ``results.json`` of a seed's folder, None if there is none.

    Raises GanLabError for a file that is corrupt, or of another format.
    """
    path = folder / RESULTS
    content = read_record(path, folder.parent, RESULTS_FORMAT, remedy=_REMEDY)
    if content is not None and (key := _first_invalid(content)):
        raise damaged(path, _REMEDY, key)
    return content


def _is_score(value: Any) -> bool:
    """Return whether what is said of a score are numbers, where they should be."""
    if not isinstance(value, dict) or value.get("direction", "min") not in ("min", "max"):
        return False
    draws = value.get("real_data_draws") or []
    numbers = [value.get(key) for key in ("last", "best", "mean", "worst", "real_data")]
    return isinstance(draws, list) and all(
        one is None or (isinstance(one, (int, float)) and not isinstance(one, bool))
        for one in [*numbers, *draws]
    )


def _first_invalid(content: Mapping[str, Any]) -> str | None:
    """Return the key of the first value that is not what gan-lab writes, None if all are."""
    metrics, features, samples = (content.get(key) for key in ("metrics", "features", "samples"))
    if not _is_count(content.get("step")):
        return "step"
    if not isinstance(metrics, dict) or not all(map(_is_score, metrics.values())):
        return "metrics"
    if not isinstance(content.get("primary"), str) or content["primary"] not in metrics:
        return "primary"
    if not isinstance(features, dict) or not {"name", "hash", "dimensions"} <= set(features):
        return "features"
    if not isinstance(samples, dict) or not all(_is_count(samples.get(key)) for key in ("fake", "real")):
        return "samples"
    return None


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
