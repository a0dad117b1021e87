"""``results.json``: the scores of one seed. Reading it takes no torch."""

import json
from pathlib import Path
from typing import Any

from gan_lab.utils.errors import GanLabError

RESULTS_FORMAT = 2


def read_results(folder: Path) -> dict[str, Any] | None:
    """What ``results.json`` of a seed's folder says, None where there is none."""
    path = folder / "results.json"
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        raise GanLabError(f"{path} is damaged: gan-lab evaluate writes it anew") from None
    if not isinstance(content, dict) or content.get("format") != RESULTS_FORMAT or "metrics" not in content:
        raise GanLabError(f"{path} is of another version: gan-lab evaluate writes it anew")
    return content
