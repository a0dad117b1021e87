"""The analysis over several settings: at common values, and with each candidate at its own best value."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict

from gan_lab.report import comparison
from gan_lab.report.declared import PrimaryMetric
from gan_lab.report.ranking import overall_row, tuned_row
from gan_lab.report.scoring import scale
from gan_lab.report.setting import SEED, Evidence, Part, Question
from gan_lab.report.strata import Values, setting_name, split_values

_MOST_PROFILES = 16


def analyze_overall(
    evidence: Mapping[str, Evidence], settings: Sequence[Part], asked: Question
) -> tuple[Part | None, str]:
    """Compare over all settings those candidates that are complete in each; or say why that cannot be."""
    if len(settings) < 2:
        return None, ""
    missing = list(dict.fromkeys(one["name"] for setting in settings for one in setting["incomplete"]))
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        return None, f"{', '.join(missing[:6])} {verb} incomplete"
    learned = {row["name"] for setting in settings for row in setting["rows"]}
    tried = [name for name in settings[0]["order"] if all(name in one.groups for one in evidence.values())]
    names = [name for name in tried if name in learned]
    if len(names) < 2:
        return None, "fewer than two candidates were tried in all of them and learned in any"
    unlearned = [setting["name"] for setting in settings if not setting["rows"]]
    if unlearned:
        return None, f"nobody has learned at {'; '.join(unlearned[:6])}"
    scales = [scale(one.anchors, asked.metric) for one in evidence.values()]
    if any(one is None for one in scales):
        what = "untrained generators or real data were not measured in every setting"
        return None, f"{what}, so that no common scale is known"
    return _overall(names, evidence, [one for one in scales if one is not None], asked), ""


def _overall(
    names: Sequence[str],
    evidence: Mapping[str, Evidence],
    scales: Sequence[comparison.Scale],
    asked: Question,
) -> Part:
    study = {name: [one.scores[name] for one in evidence.values()] for name in names}
    reference = asked.reference if asked.reference in names else None
    found = comparison.compare_settings(
        study, scales, reference or names[0], direction=asked.metric.direction, seed=SEED
    )
    everybody = {name for one in evidence.values() for name in one.groups}
    on_scale = {
        name: [one(scores) for one, scores in zip(scales, settings, strict=True)]
        for name, settings in study.items()
    }
    profiles = comparison.performance_profiles(on_scale) if len(names) <= _MOST_PROFILES else {}
    return {
        "rows": [overall_row(one, reference) for one in found.candidates],
        "reference": reference,
        "winner": found.winner,
        "tied": found.tied,
        "worse": found.worse,
        "test": asdict(found.test),
        "reversals": [asdict(one) for one in found.reversals],
        "untried": sorted(everybody - set(names)),
        "scales": [one._asdict() for one in scales],
        "log": any(one.log for one in scales),
        "profile": {
            "thresholds": next(iter(profiles.values())).thresholds,
            "shares": {name: own.share for name, own in profiles.items()},
        }
        if profiles
        else None,
        "level": found.level,
        "resamples": found.resamples,
        "seed": found.seed,
    }


def analyze_tuned(
    evidence: Mapping[str, Evidence], settings: Sequence[Part], metric: PrimaryMetric
) -> list[Part]:
    """Compare each candidate at its own best value of the keys that are means, once per problem.

    Only if nobody is incomplete and some candidates were tried at all values.
    """
    problems: dict[str, list[tuple[str, Values]]] = {}
    for setting in settings:
        problem, tuning = split_values(setting["values"])
        problems.setdefault(setting_name(problem), []).append((setting["name"], tuning))
    incomplete = {setting["name"] for setting in settings if setting["incomplete"]}
    parts = []
    for label, members in problems.items():
        names = [name for name, _ in members]
        if len(members) > 1 and all(tuning for _, tuning in members) and not incomplete & set(names):
            own = [setting for setting in settings if setting["name"] in names]
            learned = {row["name"] for setting in own for row in setting["rows"]}
            part = _tuned(label, members, [evidence[name] for name in names], learned, metric)
            parts += [part] if part else []
    return parts


def _tuned(
    problem: str,
    members: Sequence[tuple[str, Values]],
    evidence: Sequence[Evidence],
    learned: Collection[str],
    metric: PrimaryMetric,
) -> Part | None:
    """Compare those candidates that were tried at all values and have learned at any."""
    tried = [name for name in evidence[0].groups if all(name in one.groups for one in evidence)]
    names = [name for name in tried if name in learned]
    if len(names) < 2:
        return None
    keys = list(members[0][1])
    values = [tuning[keys[0]] if len(keys) == 1 else setting_name(tuning) for _, tuning in members]
    study = {name: [one.scores[name] for one in evidence] for name in names}
    found = comparison.compare_tuned(study, seed=SEED)
    return {
        "name": problem,
        "key": keys[0] if len(keys) == 1 else " and ".join(keys),
        "values": values,
        "rows": [
            {**tuned_row(one, metric, values), "best_setting": members[one.best_value][0]}
            for one in found.candidates
        ],
        "winner": found.winner,
        "p": found.p,
        "tied": found.tied,
        "worse": found.worse,
        "tested": bool(found.test.seeds),
        "smallest_seeds": found.test.smallest_seeds,
        "method": found.test.method,
    }
