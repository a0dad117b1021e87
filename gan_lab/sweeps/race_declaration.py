"""What a race fixes before its first run: candidates, looks, levels, metric. Imports no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_lab.config.overrides import check_choices, key_of
from gan_lab.config.schema import check
from gan_lab.report.comparison.race import plan_race
from gan_lab.report.strata import CANDIDATE_KEYS, SEED_KEYS
from gan_lab.runs.folder import run_folders
from gan_lab.runs.naming import identity, to_plain
from gan_lab.runs.race_file import RACE, Arm, RaceRecord
from gan_lab.runs.status import now
from gan_lab.sweeps.loggers import check_loggers
from gan_lab.sweeps.sweep import Compose
from gan_lab.utils.errors import ConfigurationError
from gan_lab.utils.paths import relative
from gan_lab.utils.text import truncate


@dataclass
class Declaration:
    """A race as it is asked for: ``record`` is what was declared before, if it has begun.

    overrides: of each arm, without seeds; hours: of training, all runs together, after which no further round
    begins; None for no such limit.
    """

    study: Path
    record: RaceRecord
    overrides: list[list[str]]
    hours: float | None
    seeds_per_run: int
    first_seed: int


def declare(combinations: Sequence[Sequence[str]], compose: Compose) -> Declaration:
    """Check what is asked for, and return the race, begun or resumed.

    Raises ConfigurationError for what cannot be raced, and for a race that was declared otherwise.
    """
    _refuse_several_seeds(combinations)
    words = [[word for word in one if key_of(word) not in SEED_KEYS] for one in combinations]
    composed = [compose(list(one)) for one in combinations]
    for cfg in composed:
        check_choices(cfg.hydra)
        check(cfg)
    check_loggers(composed)
    configs = [to_plain(cfg) for cfg in composed]
    first = configs[0]
    if any(cfg["rerun"] for cfg in configs):
        raise ConfigurationError("rerun=true starts runs over, and a race resumes: study=... is a new race")
    study = Path(composed[0].hydra.sweep.dir)
    words, arms = _arms(words, [identity(cfg) for cfg in configs])
    counts = [sum(arm.setting == setting for arm in arms) for setting in {arm.setting for arm in arms}]
    if min(counts) < 2:
        raise ConfigurationError(
            "a race needs at least two activations in every setting, such as activation=relu,leaky_relu,elu"
        )
    plan = plan_race(max(counts), first["race"]["seeds"], first["race"]["alpha"])
    declared = _declared(first)
    record = RaceRecord.load(study) if study.is_dir() else None
    if record is None:
        _refuse_other_runs(study)
        record = RaceRecord(declared, now(), plan.alpha, list(plan.looks), list(plan.levels), arms)
    else:
        _refuse_other_declaration(study, record, declared, arms)
    hours = first["race"]["hours"]
    if record.ended == "hours" and (hours is None or record.seconds < 3600 * hours):
        record.ended = ""
    return Declaration(study, record, words, hours, first["seeds"], first["seed"])


def _declared(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may not change while a race runs, by key."""
    report = cfg["report"]
    features = cfg["features"].get("_target_") if isinstance(cfg["features"], Mapping) else cfg["features"]
    return {
        **{f"report.{key}": _plain(report[key]) for key in ("primary", "reference", "margin")},
        "metric": ",".join(cfg["metric"] or {}),
        "features": features,
        "metrics.samples": cfg["metrics"]["samples"],
        "steps": cfg["steps"],
        "seed": cfg["seed"],
        "seeds": cfg["seeds"],
        "race.seeds": cfg["race"]["seeds"],
        "race.alpha": cfg["race"]["alpha"],
    }


def _plain(value: Any) -> Any:
    return value if value is None else str(value)


def _refuse_several_seeds(combinations: Sequence[Sequence[str]]) -> None:
    for key in SEED_KEYS:
        asked = list(dict.fromkeys(word for one in combinations for word in one if key_of(word) == key))
        if len(asked) > 1:
            raise ConfigurationError(
                f"a race chooses the seeds of each candidate itself, up to race.seeds: leave {key}="
                f"{truncate(','.join(word.partition('=')[2] for word in asked), 60)} out"
            )


def _refuse_other_runs(study: Path) -> None:
    if study.is_dir() and run_folders(study):
        raise ConfigurationError(
            f"{relative(study)} has runs that no race has trained, and a race needs a study of its own: "
            f"study={study.name}_race"
        )


def _refuse_other_declaration(
    study: Path, record: RaceRecord, declared: Mapping[str, Any], arms: Sequence[Arm]
) -> None:
    """Refuse a race that was declared with other keys or candidates: nothing is raced until it fits."""
    for key, value in declared.items():
        before = record.declared.get(key)
        if before != value:
            raise ConfigurationError(
                f"{key}={_shown(value)}, but the race in {relative(study)} was declared with "
                f"{key}={_shown(before)} on {record.at[:10]} ({RACE}), and is not repeated with another one: "
                f"study=... is a new race"
            )
    before, after = ({(arm.setting, arm.name) for arm in listed} for listed in (record.arms, arms))
    if before != after:
        names = truncate(", ".join(dict.fromkeys(arm.name for arm in record.arms)))
        raise ConfigurationError(
            f"the race in {relative(study)} was declared on {record.at[:10]} with other candidates or "
            f"settings ({names}), and nobody joins or leaves it: study=... is a new race"
        )
    if record.arms != list(arms):
        raise ConfigurationError(
            f"the race in {relative(study)} was declared on {record.at[:10]} with another configuration of "
            "its runs, and is not repeated with this one: study=... is a new race"
        )


def _shown(value: Any) -> str:
    return "null" if value is None else str(value)


def _arms(words: Sequence[Sequence[str]], identities: Sequence[str]) -> tuple[list[list[str]], list[Arm]]:
    """Name the candidates and settings by the words that differ; those that ask for one run are one.

    Returns the overrides of each arm, and the arms, in the order of their names.
    """
    varying = {key_of(word) for one in words for word in one if not all(word in other for other in words)}
    alone = sum(_is_candidate(key) for key in varying) == 1
    arms: dict[str, tuple[list[str], Arm]] = {}
    for one, digits in zip(words, identities, strict=True):
        own = [word for word in one if key_of(word) in varying]
        name = ", ".join(_candidate_words(own, alone))
        setting = ", ".join(word for word in own if not _is_candidate(key_of(word)))
        arms.setdefault(digits, (list(one), Arm(name, setting, digits)))
    ordered = sorted(arms.values(), key=lambda pair: (pair[1].setting, pair[1].name))
    return [one for one, _ in ordered], [arm for _, arm in ordered]


def _candidate_words(words: Sequence[str], alone: bool) -> Iterator[str]:
    """Yield the words that make a candidate, only their values if one key makes them all."""
    for word in words:
        if _is_candidate(key_of(word)):
            yield word.partition("=")[2] if alone else word.partition("@")[2] or word


def _is_candidate(key: str) -> bool:
    return key.partition("@")[0].partition(".")[0] in CANDIDATE_KEYS
