"""``results.json``: the scores of one seed. Imports no torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_lab.runs.formats import check_format
from gan_lab.utils.errors import GanLabError
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
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        raise GanLabError(f"{path} is damaged: {_REMEDY}") from None
    if not isinstance(content, dict):
        raise GanLabError(f"{path} is damaged: {_REMEDY}")
    check_format(path, content.get("format"), RESULTS_FORMAT, _REMEDY)
    scores = content.get("metrics")
    if not isinstance(scores, dict) or not all(map(_is_score, scores.values())):
        raise GanLabError(f"{path} is damaged (metrics): {_REMEDY}")
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
