"""``race.json``: what a race over seeds has declared, and what it has decided. Imports no torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from gan_lab.runs.formats import damaged, read_record
from gan_lab.utils.files import atomic_write

RACE = "race.json"
RACE_FORMAT = 1
ENDS = ("winner", "equivalent", "seeds", "hours")
_REMEDY = "move it away, and train in a new study=..."


@dataclass
class Arm:
    """One candidate in one setting. identity: of its run with the first seeds, see `gan_lab.runs.naming`."""

    name: str
    setting: str
    identity: str


@dataclass
class Round:
    """One group of seeds, and the look after it.

    seeds: that each survivor has at the look; runs: folder's name -> number of its arm, of the seeds that
    are new; begun, decided: times in UTC, the latter empty before the look; seconds: of training, of all
    rounds so far; looks: setting -> what was decided there, as `gan_lab.report.comparison.race.Look` has it,
    with the survivors' IQMs in the metric's units.
    """

    seeds: int
    runs: dict[str, int]
    begun: str
    decided: str = ""
    seconds: float = 0.0
    looks: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class RaceRecord:
    """What ``race.json`` holds.

    declared: key -> value as it was before the first run, since ``at``; primary: the metric that decides,
    empty before the first look; looks, levels: see `gan_lab.report.comparison.race.RacePlan`; ended: why it
    is over, one of `ENDS`, empty while it is not.
    """

    declared: dict[str, Any]
    at: str
    alpha: float
    looks: list[int]
    levels: list[float]
    arms: list[Arm]
    rounds: list[Round] = field(default_factory=list)
    primary: str = ""
    ended: str = ""

    def save(self, study: Path) -> None:
        content = {"format": RACE_FORMAT, **asdict(self)}
        atomic_write(study / RACE, json.dumps(content, indent=2, allow_nan=False) + "\n")

    @classmethod
    def load(cls, study: Path) -> "RaceRecord | None":
        """Read the race of a study's folder, None if there is none.

        Raises GanLabError for a file that is corrupt, or of another format.
        """
        path = study / RACE
        content = read_record(path, study, RACE_FORMAT, remedy=_REMEDY)
        if content is None:
            return None
        del content["format"]
        try:
            arms = [Arm(**arm) for arm in content.pop("arms")]
            rounds = [Round(**one) for one in content.pop("rounds")]
            record = cls(**content, arms=arms, rounds=rounds)
        except (TypeError, KeyError):
            raise damaged(path, _REMEDY) from None
        if problem := _first_invalid(record):
            raise damaged(path, _REMEDY, problem)
        return record

    @property
    def seeds_used(self) -> int:
        """Count the seeds of all rounds that are decided, of all candidates."""
        total = 0
        before: dict[int, int] = {}
        for one in self.rounds:
            if one.decided:
                for arm in set(one.runs.values()):
                    total += one.seeds - before.get(arm, 0)
                    before[arm] = one.seeds
        return total

    @property
    def seconds(self) -> float:
        """Seconds of training up to the last look."""
        return max((one.seconds for one in self.rounds), default=0.0)


def _first_invalid(record: RaceRecord) -> str:
    """Return the key of the first value that is not what gan-lab writes, empty if all are."""
    looks, levels = record.looks, record.levels
    checks = {
        "declared": isinstance(record.declared, dict),
        "at": isinstance(record.at, str),
        "alpha": _is_number(record.alpha) and 0 < record.alpha < 1,
        "looks": isinstance(looks, list) and bool(looks) and all(type(n) is int and n > 0 for n in looks),
        "levels": isinstance(levels, list) and all(_is_number(p) and 0 < p < 1 for p in levels),
        "primary": isinstance(record.primary, str),
        "ended": record.ended in ("", *ENDS),
        "arms": all(map(_is_arm, record.arms)) and len(_keys(record)) == len(record.arms),
    }
    for key, valid in checks.items():
        if not valid:
            return key
    if len(looks) != len(levels) or len(record.rounds) > len(looks):
        return "levels"
    return "" if all(_is_round(one, record) for one in record.rounds) else "rounds"


def _keys(record: RaceRecord) -> set[tuple[str, str]]:
    return {(arm.setting, arm.name) for arm in record.arms}


def _is_arm(arm: Arm) -> bool:
    return all(isinstance(text, str) for text in (arm.name, arm.setting, arm.identity))


def _is_round(one: Round, record: RaceRecord) -> bool:
    numbers = range(len(record.arms))
    names = {arm.name for arm in record.arms}
    return (
        type(one.seeds) is int
        and isinstance(one.runs, dict)
        and all(type(number) is int and number in numbers for number in one.runs.values())
        and isinstance(one.begun, str)
        and isinstance(one.decided, str)
        and _is_number(one.seconds)
        and isinstance(one.looks, dict)
        and set(one.looks) <= {arm.setting for arm in record.arms}
        and all(_is_look(look, names) for look in one.looks.values())
    )


def _is_look(look: Any, names: set[str]) -> bool:
    if not isinstance(look, dict) or set(look) != {
        *("seeds", "level", "p_values", "dropped", "p_equivalent", "equivalent", "iqms"),
    }:
        return False
    return (
        type(look["seeds"]) is int
        and _is_number(look["level"])
        and 0 < look["level"] < 1
        and all(_is_table(look[key], names, _is_number) for key in ("p_values", "p_equivalent"))
        and _is_table(look["iqms"], names, lambda value: value is None or _is_number(value))
        and _is_table(look["dropped"], names, names.__contains__)
        and isinstance(look["equivalent"], bool)
    )


def _is_table(value: Any, names: set[str], is_value: Any) -> bool:
    """Return whether a value is a mapping of candidates whose values are as they should be."""
    if not isinstance(value, Mapping) or not set(value) <= names:
        return False
    return all(isinstance(one, (str, int, float, type(None))) and is_value(one) for one in value.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
