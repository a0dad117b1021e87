"""A study that was raced: its tests are those of the race's looks, and its rounds are a chapter."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gan_lab.report.comparison.race import Look, p_equivalent, p_worse
from gan_lab.report.declared import PrimaryMetric
from gan_lab.report.entries import StudyRun
from gan_lab.report.sentences import Sentence, sentence
from gan_lab.runs.race_file import RACE, RaceRecord
from gan_lab.runs.study import StudyFolder
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.text import plural, truncate

Part = dict[str, Any]
STATISTICS = (
    "A race: worse is tested at each look among the survivors, at levels that sum to {alpha:.0%} (linear "
    "alpha spending, Lan & DeMets 1983, with Bonferroni's inequality); p-values are multiplied by "
    "{alpha:.0%} over the level of their look, and the last one left is the best. Intervals are those of a "
    "fixed number of seeds; p against the reference, ranks and P(best) are left out."
)
BY_ITSELF = "each was raced by itself, and who is out in one has fewer seeds there"


def without_others(study: StudyFolder) -> StudyFolder:
    """Return the study with the runs that its race has trained, if there was one; others are named apart.

    What a race claims rests on the seeds that it has planned, and on nothing that was added later by hand.
    Raises GanLabError for a race's record that is corrupt, and where the race has no run yet.
    """
    record = RaceRecord.load(study.folder) if study.folder.is_dir() else None
    if record is None:
        return study
    names = {name for one in record.rounds for name in one.runs}
    runs = [run for run in study.runs if run.name in names]
    damaged = {name: why for name, why in study.damaged.items() if name in names}
    others = [name for name in (*(run.name for run in study.runs), *study.damaged) if name not in names]
    if others and not runs and not damaged:
        raise GanLabError(f"no run in {study.folder} is of the race that was declared there ({RACE})")
    return replace(study, runs=runs, damaged=damaged, others=others)


def read_race(
    study: StudyFolder, everyone: Sequence[StudyRun], metric: PrimaryMetric, notes: list[str]
) -> tuple[Part | None, dict[str, list[Look]]]:
    """Return the chapter on a study's race, None if there was none, and the looks of each setting.

    The looks name candidates and settings as the report does. They are empty, and a note says so, where the
    report is by another metric than the race was.
    """
    record = RaceRecord.load(study.folder) if study.folder.is_dir() else None
    if record is None:
        return None, {}
    by_run = {one.run.name: one for one in everyone}
    names: dict[tuple[str, str], str] = {}
    settings: dict[str, str] = {}
    for one in record.rounds:
        for run, number in one.runs.items():
            if run in by_run:
                arm = record.arms[number]
                names[arm.setting, arm.name] = by_run[run].name
                settings[arm.setting] = by_run[run].setting
    looks: dict[str, list[Look]] = {}
    rounds: list[Part] = []
    for number, one in enumerate((one for one in record.rounds if one.decided), 1):
        for setting, stored in one.looks.items():
            look = _look(stored, {name: names.get((setting, name), name) for name in stored["iqms"]})
            looks.setdefault(settings.get(setting, setting), []).append(look)
            out = [
                {"name": name, "beaten_by": rival, "p": look.p_values[name]}
                for name, rival in look.dropped.items()
            ]
            left = [name for name in look.p_values if name not in look.dropped]
            rounds.append(
                {"round": number, "setting": settings.get(setting, setting), "seeds": look.seeds}
                | {"level": look.level, "out": out, "in": left, "decided": one.decided}
                | {"seconds": one.seconds}
            )
    chapter: Part = {
        "declared": record.declared,
        "at": record.at,
        "alpha": record.alpha,
        "looks": record.looks,
        "primary": record.primary,
        "ended": record.ended,
        "rounds": rounds,
        "seeds": record.seeds_used,
        "most_seeds": len(record.arms) * record.looks[-1],
        "seconds": record.seconds,
        "other_runs": study.others,
    }
    if study.others:
        notes.append(
            f"{plural(len(study.others), 'run')} in this folder {'is' if len(study.others) == 1 else 'are'} "
            f"not of the race, and left out: {truncate(', '.join(study.others), 300)}."
        )
    if record.primary and record.primary != metric.name:
        notes.append(
            f"The race was decided by {record.primary}: tests by {metric.name} do not account for its looks."
        )
        looks = {}
    return chapter, looks


def account_for_looks(part: Part, looks: Sequence[Look], alpha: float) -> Part:
    """Replace a setting's tests by those of the race; whoever is out stands below who is left."""
    if not looks or not part["rows"]:
        return part
    worse_p, equivalent_p = p_worse(looks, alpha), p_equivalent(looks, alpha)
    beaten_by = {name: rival for look in looks for name, rival in look.dropped.items()}
    left = [name for name in looks[-1].p_values if name not in beaten_by]
    ranked = [row["name"] for row in part["rows"]]
    winner = left[0] if len(left) == 1 and left[0] in ranked and len(ranked) > 1 else None
    rows = [
        row
        | {"worse": row["name"] in beaten_by, "p_worse": worse_p.get(row["name"])}
        | {"p_winner": worse_p.get(row["name"]) if winner not in (None, row["name"]) else None}
        | {"p": None, "p_holm": None, "rank_interval": None, "p_best": None, "detectable": None}
        | {"p_equivalent": equivalent_p.get(row["name"])}
        | {"equivalent": _equivalent(row, equivalent_p, alpha)}
        for row in part["rows"]
    ]
    rows.sort(key=lambda row: row["worse"])
    p_winner = {row["name"]: row["p_winner"] for row in rows if row["p_winner"] is not None}
    tests = dict(part["tests"])
    tests["winner"] = tests["winner"] | {
        "leader": rows[0]["name"],
        "winner": winner,
        "p_values": p_winner,
        "exploratory": [],
        "p": max(p_winner.values()) if p_winner else None,
        "method": "the last one left in a race",
    }
    tests["worse"] = tests["worse"] | {
        "worse": list(beaten_by),
        "p_values": worse_p,
        "beaten_by": beaten_by,
        "too_few": {},
        "seeds": {row["name"]: row["seeds"] for row in rows},
        "shortened": False,
        "critical": None,
        "method": "step-down max-T at each look of a race, alpha spent over the looks",
    }
    if tests["equivalence"]:
        within = [name for name, p in equivalent_p.items() if p <= alpha]
        tests["equivalence"] = tests["equivalence"] | {"equivalent": within, "p_values": equivalent_p}
    tied = [row["name"] for row in rows if not row["worse"]]
    return part | {
        "rows": rows,
        "tests": tests,
        "winner": winner,
        "tied": tied,
        "worse": [row["name"] for row in rows if row["worse"]],
        "exploratory": False,
    }


def race_sentence(chapter: Part) -> Sentence:
    """Say what the race took, and what its p-values are."""
    over = "A race" if chapter["ended"] else "A race that is not over"
    share = chapter["seeds"] / chapter["most_seeds"]
    rounds = len({one["round"] for one in chapter["rounds"]})
    text = (
        f"{over}, declared {chapter['at'][:10]}: {plural(rounds, 'round')} of at most "
        f"{len(chapter['looks'])}, {plural(chapter['seeds'], 'seed')} of at most {chapter['most_seeds']:,} "
        f"({share:.0%}); p-values account for its looks, intervals do not."
    )
    return sentence("race", text)


def declaration(chapter: Part) -> str:
    """Say what was declared when, and which metric decided."""
    declared = ", ".join(
        f"{key}={'null' if value is None else value}" for key, value in chapter["declared"].items()
    )
    by = f", decided by {chapter['primary']}" if chapter["primary"] else ""
    return (
        f"Race declared {chapter['at']}, before its first run: {declared}; looks at "
        f"{', '.join(map(str, chapter['looks']))} seeds each{by}."
    )


def race_lines(chapter: Part) -> list[str]:
    """Return a line per round: who left it, and why."""
    lines = []
    for one in chapter["rounds"]:
        where = f" at {one['setting']}" if one["setting"] else ""
        out = ", ".join(f"{left['name']} (worse than {left['beaten_by']})" for left in one["out"])
        lines.append(
            f"round {one['round']}{where}, {plural(one['seeds'], 'seed')} each, level "
            f"{100 * one['level']:.3g} %: out {out or 'nobody'}; in {', '.join(one['in'])}"
        )
    return lines


def _equivalent(row: Mapping[str, Any], p_values: Mapping[str, float], alpha: float) -> bool | None:
    return None if row["equivalent"] is None else p_values.get(row["name"], 1.0) <= alpha


def _look(stored: Mapping[str, Any], names: Mapping[str, str]) -> Look:
    def renamed(key: str) -> dict[str, float]:
        return {names.get(name, name): value for name, value in stored[key].items()}

    dropped = {names.get(name, name): names.get(rival, rival) for name, rival in stored["dropped"].items()}
    return Look(
        seeds=stored["seeds"],
        level=stored["level"],
        p_values=renamed("p_values"),
        dropped=dropped,
        p_equivalent=renamed("p_equivalent"),
        equivalent=stored["equivalent"],
    )
