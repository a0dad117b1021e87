"""What a terminal shows of a race: what was declared, who is in, who is out and why, what comes next."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from gan_lab.runs.race_file import RaceRecord
from gan_lab.utils.paths import quoted
from gan_lab.utils.tables import format_table
from gan_lab.utils.text import format_duration, format_number, plural, truncate

_SLOWEST_PACE = 3.0
_ENDS = {
    "winner": "one is left",
    "equivalent": "those who are left are equivalent within the margin",
    "seeds": "those who are left cannot be told apart with all seeds",
    "hours": "its hours are over",
}


def declared(record: RaceRecord, hours: float | None) -> str:
    """Say what is fixed before the first run."""
    looks = ", ".join(map(str, record.looks))
    levels = ", ".join(f"{100 * level:.3g} %" for level in record.levels)
    metric = record.primary or record.declared.get("report.primary") or "the first metric that suits the data"
    margin = record.declared.get("report.margin")
    lines = [
        f"race of {_candidates(record, range(len(record.arms)))}, declared {record.at}",
        f"  looks at {looks} seeds each, at levels of {levels}, {100 * record.alpha:.3g} % in all",
        f"  by {metric}; reference {record.declared.get('report.reference')}; margin {margin or 'none'}",
    ]
    if len(_settings(record)) > 1:
        lines.append("  each setting is a race of its own, at these levels: no verdict over all of them")
    if hours is not None:
        lines.append(f"  no further round after {hours:g} hours of training, all runs together")
    return "\n".join(lines)


def begun(record: RaceRecord, hours: float | None) -> str:
    """Say what the round that begins has to do, what it costs and what is left, as far as that is known."""
    number, current = len(record.rounds), record.rounds[-1]
    alive = sorted(set(current.runs.values()))
    before = record.looks[number - 2] if number > 1 else 0
    new = current.seeds - before
    names = ", ".join(dict.fromkeys(record.arms[arm].name for arm in alive))
    lines = [
        f"\nround {number} of at most {len(record.looks)}: {plural(new, 'seed')} each of "
        f"{_candidates(record, alive)}, {plural(len(current.runs), 'run')}",
        f"  still in: {truncate(names)}",
    ]
    if each := seconds_per_seed(record):
        cost, rest = (each * len(alive) * seeds for seeds in (new, record.looks[-1] - before))
        pace = _pace(record)
        lines.append(
            f"  {format_duration(cost)} of training, done in about {format_duration(pace * cost)}; at most "
            f"{format_duration(pace * rest)} to the end, if nobody else drops out"
        )
    if hours is not None:
        lines.append(f"  {format_duration(3600 * hours - record.seconds)} of {hours:g} h of training left")
    return "\n".join(lines)


def decided(record: RaceRecord) -> str:
    """Return a table of who is in and who is out, since when and why."""
    lines = [f"\nafter round {len(record.rounds)}, {plural(record.rounds[-1].seeds, 'seed')} each:"]
    for setting in _settings(record):
        if setting:
            lines.append(setting)
        rows = [("", "candidate", record.primary, "seeds", ""), *_rows(record, setting)]
        lines += [f"  {line}" for line in format_table(rows, left=(0, 1, 4))]
    return "\n".join(lines)


def ended(record: RaceRecord, study: Path, unlearned: Mapping[str, Sequence[str]]) -> str:
    """Say why the race is over, what it cost, and who has learned nothing: setting -> candidates."""
    used, most = record.seeds_used, len(record.arms) * record.looks[-1]
    return "\n".join(
        [
            f"\nthe race is over, because {_ENDS[record.ended]}: {plural(used, 'seed')} of at most {most:,} "
            f"({used / most:.0%}), {format_duration(record.seconds)} of training",
            *(f"  {line}" for line in _learned_nothing(record, unlearned)),
            f"  report   gan-lab report {quoted(study)}",
        ]
    )


def _learned_nothing(record: RaceRecord, unlearned: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield a sentence per setting in which somebody has learned nothing, so that to be left means little."""
    for setting, names in unlearned.items():
        everyone = [arm.name for arm in record.arms if arm.setting == setting]
        where = f" at {setting}" if setting else ""
        if len(names) == len(everyone):
            metric = record.primary
            yield f"nobody has learned{where}: no {metric} is better than that of untrained generators"
        elif names:
            verb = "has" if len(names) == 1 else "have"
            yield f"{', '.join(names)} {verb} not learned{where}"


def seconds_per_seed(record: RaceRecord) -> float:
    """Compute what a seed has cost so far; 0 before the first look."""
    used = record.seeds_used
    return record.seconds / used if used else 0.0


def _pace(record: RaceRecord) -> float:
    """Compute how long a second of training takes: less where runs train at once.

    By the last round; 1 if that was stopped on its way, and so took far longer.
    """
    last = record.rounds[len(record.rounds) - 2]
    before = record.rounds[len(record.rounds) - 3].seconds if len(record.rounds) > 2 else 0.0
    begun, decided = (datetime.fromisoformat(time).timestamp() for time in (last.begun, last.decided))
    pace = (decided - begun) / max(last.seconds - before, 1e-9)
    return pace if pace <= _SLOWEST_PACE else 1.0


def _settings(record: RaceRecord) -> list[str]:
    return list(dict.fromkeys(arm.setting for arm in record.arms))


def _candidates(record: RaceRecord, arms: Iterable[int]) -> str:
    """Return "7 candidates", "7 candidates in each of 2 settings", "9 candidates over 2 settings"."""
    counts = Counter(record.arms[arm].setting for arm in arms)
    if len(_settings(record)) < 2:
        return plural(counts.total(), "candidate")
    if len(counts) > 1 and len(set(counts.values())) == 1:
        return f"{plural(counts.total() // len(counts), 'candidate')} in each of {len(counts)} settings"
    return f"{plural(counts.total(), 'candidate')} over {plural(len(counts), 'setting')}"


def _rows(record: RaceRecord, setting: str) -> Iterator[tuple[str, ...]]:
    """Yield survivors first, then who is out, the last ones first; each by its name, score, seeds and why."""
    looks = [(one, one.looks[setting]) for one in record.rounds if setting in one.looks]
    out: list[tuple[str, ...]] = []
    for number, (_, look) in enumerate(looks, 1):
        order = list(look["iqms"])  # the best first
        for name, rival in sorted(look["dropped"].items(), key=lambda pair: -order.index(pair[0])):
            why = f"since round {number}: {rival} beats it, p {_p(look['p_values'][name])}"
            out.insert(0, ("out", name, format_number(look["iqms"][name]), str(look["seeds"]), why))
    if looks:
        look = looks[-1][1]
        alive = [name for name in look["iqms"] if name not in look["dropped"]]
        for name in alive:
            yield "in", name, format_number(look["iqms"][name]), str(look["seeds"]), ""
    yield from out


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
