"""Time gan-lab against the textbook loop: python scripts/benchmark [--quick] [--json] [ROWS...]"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torch

from gan_lab.runs.status import versions
from gan_lab.utils.devices import describe_device, select_device
from rows import ROWS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"some of {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and sizes, under three minutes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    unknown = sorted(set(given.rows) - set(ROWS))
    if unknown:
        parser.error(f"rows must be some of {', '.join(ROWS)}, got {', '.join(unknown)}")
    device = select_device(given.device)
    found: dict[str, Any] = {
        "device": describe_device(device),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "quick": given.quick,
        "rows": {},
    }
    if not given.json:
        print(f"{found['device']}, " + ", ".join(f"{n} {v}" for n, v in found["versions"].items()))
    for name in given.rows or ROWS:
        lines = []
        if not given.json:
            print(f"\n{name}: {(ROWS[name].__doc__ or '').strip()}", flush=True)
        for line in ROWS[name](device, given.quick):
            lines.append(line)
            if not given.json:
                print("  " + _row(line), flush=True)
        found["rows"][name] = lines
    if given.json:
        print(json.dumps(found, indent=2))


def _row(line: dict[str, Any]) -> str:
    rest = ", ".join(f"{n} {v:.3g}" for n, v in line.items() if n != "what")
    return f"{line['what']:58} {rest}"


if __name__ == "__main__":
    main()
