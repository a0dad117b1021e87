#!/usr/bin/env python3
"""Kill training runs at random instants, hundreds of times, and compare bits: scripts/kill_test --kills 300

With --operations also before each of a short run's file operations, with and without what was never synced.
"""

import argparse
import json
import logging
import random
import sys
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from crashing import die_before, operations
from killing import Starter, Tally, kill_again_and_again, traces
from test_crashes import WORDS, dies_and_goes_on
from test_kill import IMAGES, TINY_POINTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the instants and the signals")
    parser.add_argument("--operations", action="store_true", help="also die before each file operation")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # steps that were done twice are no news here
    chance, starter, found = random.Random(given.seed), Starter(), {}
    if not given.json:
        print(f"seed {given.seed}", flush=True)
    for name, words in (("points", TINY_POINTS), ("images", IMAGES)):
        with tempfile.TemporaryDirectory() as place:
            found[name] = kill_again_and_again(starter, words, given.kills // 2, chance, Path(place))
        if not given.json:
            print(f"{name}: {_said(found[name])}", flush=True)
    for power in (False, True) if given.operations else ():
        name = "power lost" if power else "killed between file operations"
        with tempfile.TemporaryDirectory() as place:
            found[name] = _before_each_operation(starter, Path(place), power=power)
        if not given.json:
            print(f"{name}: {_said(found[name])}", flush=True)
    if given.json:
        print(
            json.dumps(
                {"seed": given.seed, **{name: asdict(tally) for name, tally in found.items()}}, indent=2
            )
        )
    sys.exit(any(tally.differing for tally in found.values()))


def _before_each_operation(starter: Starter, place: Path, *, power: bool) -> Tally:
    process = starter.start(place / "run", WORDS, partial(die_before, 0, place / "notes"))
    process.join(120)
    expected, tally = traces(place / "run"), Tally()
    for number in range(1, operations(place / "notes") + 1):
        differing = dies_and_goes_on(starter, expected, number, place, power=power)
        tally.differing += [f"operation {number}: {what}" for what in differing]
        tally.runs += 1
        tally.kills["SIGKILL"] += 1
        tally.phases["one before each file operation"] += 1
    return tally


def _format_bytes(tally: Tally) -> str:
    kills = ", ".join(f"{count} {name}" for name, count in tally.kills.items())
    phases = ", ".join(f"{count} {name}" for name, count in sorted(tally.phases.items()))
    differing = "; ".join(tally.differing) or "none"
    return f"{tally.runs} runs, killed by {kills} ({phases}); what differs: {differing}"


if __name__ == "__main__":
    main()
