"""A race over seeds: rounds of further runs of whoever is not shown to be worse, until the answer is there.

Each round is a sweep, under any launcher. What was declared and decided stands in ``race.json``
(`gan_lab.runs.race_file`); a decision that stands there is never made again. Imports no torch.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gan_lab.report.comparable import check_comparable
from gan_lab.report.comparison import iqm
from gan_lab.report.comparison.race import Look, Race, RacePlan
from gan_lab.report.comparison.scores import Floats
from gan_lab.report.declared import PrimaryMetric, margin, primary_metric
from gan_lab.report.entries import StudyRun, entries, study_runs
from gan_lab.report.scoring import oriented
from gan_lab.report.setting import Evidence, who_learned
from gan_lab.runs.race_file import RaceRecord, Round
from gan_lab.runs.run import Run
from gan_lab.runs.status import now
from gan_lab.sweeps import race_lines
from gan_lab.sweeps.race_declaration import Declaration, declare
from gan_lab.sweeps.sweep import Compose, Launch, sweep, sweep_jobs
from gan_lab.utils.errors import GanLabError, RunFailedError

Words = list[str]


def race(
    combinations: Sequence[Sequence[str]],
    compose: Compose,
    begin: Callable[[Path], None],
    launch: Launch,
    batch_size: int | None = None,
) -> None:
    """Race the candidates among ``combinations`` to the end, or until a budget is spent.

    The arguments are those of `gan_lab.sweeps.sweep.sweep`. Raises GanLabError for what cannot be raced, and
    RunFailedError if a run fails for other reasons than divergence; the same command resumes the race.
    """
    asked = declare(combinations, compose)
    study, record = asked.study, asked.record
    print(race_lines.declared(record, asked.hours))
    while not record.ended:
        if not record.rounds or record.rounds[-1].decided:
            if asked.hours is not None and record.seconds >= 3600 * asked.hours:
                record.ended = "hours"
                break
            record.rounds.append(Round(record.looks[len(record.rounds)], {}, now()))
        runs = round_runs(asked, len(record.rounds) - 1)
        common = _common(asked, runs)
        record.rounds[-1].runs = _names(runs, compose, common)
        study.mkdir(parents=True, exist_ok=True)
        record.save(study)
        print(race_lines.begun(record, asked.hours), flush=True)
        sweep([words for _, words in runs], compose, begin, launch, batch_size, common=common)
        # Again, because a folder that another command has made keeps its name.
        record.rounds[-1].runs = _names(runs, compose, common)
        decide(record, study)
        record.save(study)
        print(race_lines.decided(record), flush=True)
    record.save(study)
    print(race_lines.ended(record, study, _unlearned(record, study)))


def races(record: RaceRecord) -> dict[str, Race]:
    """Return the race in each setting as far as it is decided."""
    plan = RacePlan(tuple(record.looks), tuple(record.levels), record.alpha)
    found: dict[str, Race] = {}
    for setting in dict.fromkeys(arm.setting for arm in record.arms):
        names = [arm.name for arm in record.arms if arm.setting == setting]
        looks = [look_of(one.looks[setting]) for one in record.rounds if setting in one.looks]
        found[setting] = Race(names, plan, looks)
    return found


def look_of(stored: dict[str, Any]) -> Look:
    return Look(**{key: value for key, value in stored.items() if key != "iqms"})


def decide(record: RaceRecord, study: Path) -> None:
    """Take the look of the last round in every setting that is not decided, by the scores on disk."""
    runs = _evidence(record, study)
    seeds = entries(runs.values(), notes=[])
    check_comparable(seeds)
    metric = primary_metric(seeds, record.primary or None)
    declared_margin = margin(list(runs.values()), metric, None)
    scores = _scores(record, runs, metric)
    current = record.rounds[-1]
    for setting, one in races(record).items():
        if one.end:
            continue
        look = one.take_look(
            scores[setting],
            margin=declared_margin.margin if declared_margin else None,
            direction=metric.direction,
        )
        ranked = sorted(look.p_values, key=lambda name: -iqm(scores[setting][name]))
        iqms = {name: _finite(metric.sign * iqm(scores[setting][name])) for name in ranked}
        current.looks[setting] = {**asdict(look), "iqms": iqms}
    record.primary = metric.name
    current.seconds = sum(one.run.status.seconds for one in runs.values())
    current.decided = now()
    ends = {one.end for one in races(record).values()}
    if "" not in ends:
        record.ended = next(end for end in ("seeds", "equivalent", "winner") if end in ends)


def _evidence(record: RaceRecord, study: Path) -> dict[str, StudyRun]:
    """Read all runs of the race; raise RunFailedError for the first that is no evidence."""
    folders = [name for one in record.rounds for name in one.runs]
    try:
        runs = study_runs([Run.load(study / name) for name in folders])
    except GanLabError as error:
        raise RunFailedError(f"the race pauses: {error}") from error
    for one in runs:
        if one.exclusion_reason is not None:
            raise RunFailedError(
                f"the race pauses, because {one.run.name} is no evidence: {one.exclusion_reason}; "
                "the same command resumes it"
            )
    return dict(zip(folders, runs, strict=True))


def _unlearned(record: RaceRecord, study: Path) -> dict[str, list[str]]:
    """Return setting -> candidates that are no better than untrained generators, if those were measured."""
    if not record.primary:
        return {}
    runs = _evidence(record, study)
    metric = primary_metric(entries(runs.values(), notes=[]), record.primary)
    arms = {
        runs[name].run.folder: record.arms[arm] for one in record.rounds for name, arm in one.runs.items()
    }
    found: dict[str, list[str]] = {}
    for setting in dict.fromkeys(arm.setting for arm in record.arms):
        own = [one for one in runs.values() if arms[one.run.folder].setting == setting]
        told = who_learned(Evidence.of(entries(own, notes=[]), metric), metric)
        names = {one.name: arms[one.run.folder].name for one in own}
        found[setting] = [names[name] for name in (*told["not_learned"], *told["diverged"])]
    return found


def _scores(
    record: RaceRecord, runs: dict[str, StudyRun], metric: PrimaryMetric
) -> dict[str, dict[str, Floats]]:
    """Return setting -> candidate -> oriented scores (S,) in the order of the seeds."""
    owned: dict[int, list[StudyRun]] = {}
    for one in record.rounds:
        for name, number in one.runs.items():
            owned.setdefault(number, []).append(runs[name])
    found: dict[str, dict[str, Floats]] = {}
    for number, own in owned.items():
        arm = record.arms[number]
        seeds = sorted(entries(own, notes=[]), key=lambda entry: entry.seed.number)
        scores = oriented(seeds, metric.name, metric.direction, metric.worst)
        found.setdefault(arm.setting, {})[arm.name] = scores
    return found


def rounds_left(asked: Declaration) -> list[list[Words]]:
    """Return the overrides of all runs of each round to come if nobody else drops out, the next one first."""
    record = asked.record
    if record.ended:
        return []
    decided = sum(bool(one.decided) for one in record.rounds)
    return [[words for _, words in round_runs(asked, number)] for number in range(decided, len(record.looks))]


def round_runs(asked: Declaration, number: int) -> list[tuple[int, Words]]:
    """Return (arm, overrides) of each run of a round, with the seeds that are new, for who is still in."""
    record = asked.record
    before, upto = record.looks[number - 1] if number else 0, record.looks[number]
    alive = {setting: one.survivors for setting, one in races(record).items() if not one.end}
    runs = []
    for index, arm in enumerate(record.arms):
        if arm.name not in alive.get(arm.setting, []):
            continue
        for start in range(before, upto, asked.seeds_per_run):
            count = min(asked.seeds_per_run, upto - start)
            seeds = [f"seed={asked.first_seed + start}", f"seeds={count}"]
            runs.append((index, [*asked.overrides[index], *seeds]))
    return runs


def _common(asked: Declaration, runs: Sequence[tuple[int, Words]]) -> set[str]:
    """Return the overrides that no run's name needs: in all rounds names are alike, and have the seed."""
    sizes = {word for _, words in runs for word in words if word.startswith("seeds=")}
    return set.intersection(*map(set, asked.overrides)) | sizes


def _names(runs: Sequence[tuple[int, Words]], compose: Compose, common: Collection[str]) -> dict[str, int]:
    """Return folder's name -> arm of the runs of a round."""
    arms = {tuple(words): arm for arm, words in runs}
    jobs = sweep_jobs([words for _, words in runs], compose, common)
    return {job.folder.name: arms[tuple(job.overrides)] for job in jobs}


def _finite(value: float) -> float | None:
    return float(value) if abs(value) != float("inf") else None
