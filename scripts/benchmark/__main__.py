"""Time gan-lab against the textbook loop: python scripts/benchmark [--quick] [--json] [ROWS...]"""

import argparse
import json
import sys
import traceback
from typing import Any

import torch

from gan_lab.runs.status import versions
from gan_lab.utils.devices import computing_on, describe_device, select_device
from loops import Line
from rows import ROWS, requirements


def main() -> None:
    parser = argparse.ArgumentParser(prog="python scripts/benchmark", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"some of {', '.join(ROWS)}; all by default")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and sizes, under three minutes")
    parser.add_argument("--json", action="store_true", help="print JSON at the end instead of lines")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    names = list(dict.fromkeys(arguments.rows)) or list(ROWS)
    unknown = sorted(set(names) - set(ROWS))
    if unknown:
        parser.error(f"rows must be some of {', '.join(ROWS)}, got {', '.join(unknown)}")
    device = select_device(arguments.device)
    lacking = requirements(names, device, arguments.quick)
    if lacking:
        parser.error("; ".join(lacking))
    results: dict[str, Any] = {
        "device": describe_device(device),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "quick": arguments.quick,
        "rows": {name: [] for name in names},
        "failed": {},
    }
    if not arguments.json:
        print(f"{results['device']}, " + ", ".join(f"{n} {v}" for n, v in results["versions"].items()))
    try:
        # Both loops as a run of gan-lab computes: float32 throughout, and the fastest algorithms.
        with computing_on(device, deterministic=False):
            _measure(device, results, silent=arguments.json)
    finally:  # an interruption loses nothing of what has been measured
        if arguments.json:
            print(json.dumps(results, indent=2))
    sys.exit(bool(results["failed"]))


def _measure(device: torch.device, results: dict[str, Any], *, silent: bool) -> None:
    """Measure row after row into the results; one that fails does not stop the others."""
    for name, lines in results["rows"].items():
        if not silent:
            print(f"\n{name}: {ROWS[name].__doc__}", flush=True)
        try:
            for line in ROWS[name](device, results["quick"]):
                lines.append(line)
                if not silent:
                    print("  " + _format(line), flush=True)
        except Exception as error:
            traceback.print_exc()
            results["failed"][name] = f"{type(error).__name__}: {error}"


def _format(line: Line) -> str:
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in line.items() if name != "what")
    return f"{line['what']:58} {numbers}"


if __name__ == "__main__":
    main()
