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

from tests.helpers.crashing import die_before, dies_and_resumes, operations
from tests.helpers.experiments import TINY_IMAGES, TINY_POINTS
from tests.helpers.killing import EVERYTHING_OFTEN, Starter, Tally, kill_repeatedly, traces

# What the runs train that are killed at any instant, and the short one that dies before each file operation.
KILLED = {
    "points": TINY_POINTS,
    "images": (*TINY_IMAGES, "features=raw", "metric=[kid,sliced_wasserstein]"),
}
SHORT = (*TINY_POINTS, *EVERYTHING_OFTEN, "steps=14", "samples.every=7", "metrics.every=7")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="scripts/kill_test", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="of the instants and the signals")
    parser.add_argument("--operations", action="store_true", help="also die before each file operation")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # steps that were done twice are no news here
    rng, starter, tallies = random.Random(arguments.seed), Starter(), dict[str, Tally]()
    if not arguments.json:
        print(f"seed {arguments.seed}", flush=True)
    for name, words in KILLED.items():
        with tempfile.TemporaryDirectory() as folder:
            tallies[name] = kill_repeatedly(starter, words, arguments.kills // 2, rng, Path(folder))
        if not arguments.json:
            print(f"{name}: {_summary(tallies[name])}", flush=True)
    for power in (False, True) if arguments.operations else ():
        name = "power lost" if power else "killed between file operations"
        with tempfile.TemporaryDirectory() as folder:
            tallies[name] = _before_each_operation(starter, Path(folder), power=power)
        if not arguments.json:
            print(f"{name}: {_summary(tallies[name])}", flush=True)
    if arguments.json:
        rows = {name: asdict(tally) for name, tally in tallies.items()}
        print(json.dumps({"seed": arguments.seed, **rows}, indent=2))
    sys.exit(any(tally.differing for tally in tallies.values()))


def _before_each_operation(starter: Starter, folder: Path, *, power: bool) -> Tally:
    process = starter.start(folder / "run", SHORT, partial(die_before, 0, folder / "notes"))
    process.join(120)
    expected, tally = traces(folder / "run"), Tally()
    for number in range(1, operations(folder / "notes") + 1):
        differing = dies_and_resumes(starter, SHORT, expected, number, folder, power=power)
        tally.differing += [f"operation {number}: {name}" for name in differing]
        tally.runs += 1
        tally.kills["SIGKILL"] += 1
        tally.phases["one before each file operation"] += 1
    return tally


def _summary(tally: Tally) -> str:
    kills = ", ".join(f"{count} {name}" for name, count in tally.kills.items())
    phases = ", ".join(f"{count} {name}" for name, count in sorted(tally.phases.items()))
    differing = "; ".join(tally.differing) or "none"
    return f"{tally.runs} runs, killed by {kills} ({phases}); what differs: {differing}"


if __name__ == "__main__":
    main()
