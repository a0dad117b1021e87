"""From a study to the plain dictionary that is ``report.json``: all that a report says is computed here."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from gan_lab.report import details, text
from gan_lab.report.candidates import order
from gan_lab.report.entries import (
    Entry,
    Primary,
    StudyRun,
    check_comparable,
    entries,
    members,
    metric_spec,
    primary,
    reference,
)
from gan_lab.report.methods import fresh_seeds_command, is_exact, limits, protocol, repeat_command
from gan_lab.report.ranking import by_candidate, ranking, side_by_side
from gan_lab.report.sample_grid import wall
from gan_lab.runs.study import Study

Report = dict[str, Any]
FORMAT = 1
SEED = 0  # of the bootstrap and the permutations, told in the report


def analyze(study: Study, *, primary_asked: str | None = None, reference_asked: str | None = None) -> Report:
    """The report on a study; nothing in it is a NaN or an infinity.

    ``primary_asked`` and ``reference_asked`` replace what the runs declared, which the report then says.
    """
    notes: list[str] = []
    everyone = members(study)
    found = entries(everyone, notes)
    check_comparable(found)
    metric = primary(found, primary_asked)
    against, declared_reference = reference(found, reference_asked, notes)
    by_setting: dict[str, list[Entry]] = {}
    for entry in sorted(found, key=lambda entry: order(entry.member.values)):
        by_setting.setdefault(entry.member.setting, []).append(entry)
    settings = [_setting(name, own, metric, against, notes) for name, own in by_setting.items()]
    overall, missing = _overall(by_setting, metric, against)
    main, where = _main(settings, overall)
    told = protocol(found, metric)
    report = {
        "format": FORMAT,
        "study": study.name,
        "folder": str(study.folder),
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "gan_lab": version("gan-lab"),
        "primary": {
            "name": metric.name,
            "direction": metric.direction,
            "post_hoc": metric.declared is not None,
            "declared": metric.declared,
        },
        "reference": {
            "name": main["reference"],
            "post_hoc": declared_reference is not None,
            "declared": declared_reference,
        },
        "verdict": {
            "text": text.verdict(main, metric, where),
            "winner": main["winner"],
            "tied": main["tied"],
            "exploratory": main["exploratory"],
            "power": text.power(main, metric),
            "bias": text.bias(main, metric),
            "rerun": _rerun(main, found, study.name),
        },
        "settings": settings,
        "overall": overall,
        "missing": missing,
        "runs": [_run(member) for member in everyone],
        "damaged": study.damaged,
        "aside": study.archived,
        "notes": list(dict.fromkeys(notes)),
        "protocol": told,
        "method": text.method(main),
        "limits": limits(found, dict(told)),
    }
    finite: Report = without_infinities(report)
    return finite


def table(study: Study) -> list[dict[str, Any]]:
    """The lines of ``results.csv``: one for a run, seed and metric, counted or not."""
    lines = []
    for member in members(study):
        for seed in member.run.seeds:
            state = "diverged" if seed.diverged is not None else member.run.status.state
            results = seed.results or {}
            features, samples = results.get("features", {}), results.get("samples", {})
            for name, told in (results.get("metrics") or {"": {}}).items():
                lines.append(
                    {
                        "run": member.run.name,
                        "activation": member.candidate.name,
                        "setting": member.setting,
                        "seed": seed.number,
                        "state": state,
                        "counted": member.exclusion_reason is None,
                        "metric": name,
                        **{
                            key: told.get(key)
                            for key in ("last", "best", "best_step", "mean", "real_data", "direction")
                        },
                        "step": results.get("step", seed.diverged),
                        "features": features.get("name"),
                        "hash": features.get("hash"),
                        "fake_samples": samples.get("fake"),
                        "real_samples": samples.get("real"),
                        "reference": samples.get("reference"),
                    }
                )
    return lines


def without_infinities(value: Any) -> Any:
    """The same with None for every number that JSON has no word for."""
    if isinstance(value, Mapping):
        return {str(key): without_infinities(own) for key, own in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinities(own) for own in value]
    if hasattr(value, "item"):  # numpy's numbers
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _setting(
    name: str, found: Sequence[Entry], metric: Primary, against: str, notes: list[str]
) -> dict[str, Any]:
    """All that is told of one setting, a stratum of the study."""
    groups = by_candidate(found)
    ranked = ranking([groups], metric, against, SEED)
    order = [row["name"] for row in ranked["rows"]]
    groups = {name: groups[name] for name in order}
    for row in ranked["rows"]:
        own = groups[row["name"]]
        row["side_by_side"] = side_by_side(own, metric)
        row["scores"] = [
            {"seed": e.seed.number, "state": e.state, "value": e.score(metric.name)} for e in own
        ]
    told = details.histories(groups)
    measured = any(entry.seed.results for entry in found)
    return {
        "name": name,
        "values": found[0].member.values,
        "real_data": metric_spec(found, metric.name)["real_data"] if measured else None,
        **ranked,
        "curves": details.learning_curves(told, metric),
        "health": details.unit_health(told),
        "secondary": details.secondary_metrics(groups, metric, notes),
        "grid": details.pairwise_table(groups, metric),
        "wall": wall(groups),
    }


def _overall(
    by_setting: Mapping[str, Sequence[Entry]], metric: Primary, against: str
) -> tuple[dict[str, Any] | None, dict[str, list[str]]]:
    """The comparison over all settings of those who are in each, and who is missing where."""
    strata = [by_candidate(own) for own in by_setting.values()]
    names = sorted({name for stratum in strata for name in stratum})
    missing = {
        name: absent
        for name in names
        if (absent := [s for s, stratum in zip(by_setting, strata, strict=True) if name not in stratum])
    }
    if len(strata) < 2 or len(names) - len(missing) < 2:
        return None, missing
    return ranking(strata, metric, against, SEED), missing


def _main(settings: Sequence[dict[str, Any]], overall: dict[str, Any] | None) -> tuple[dict[str, Any], str]:
    """The comparison that the verdict speaks of, and the words that say which one it is."""
    if overall is not None:
        return overall, f" over {len(settings)} settings"
    main = max(settings, key=lambda setting: len(setting["rows"]))
    return main, f" at {main['name']}" if len(settings) > 1 else ""


def _rerun(main: Mapping[str, Any], found: Sequence[Entry], study: str) -> dict[str, Any] | None:
    """The offer to train the best candidate on seeds that nobody has picked it for."""
    if len(main["rows"]) < 2:
        return None
    best = main["rows"][0]["name"]
    own = [entry for entry in found if entry.name == best]
    latest = max((e.seed.number for e in found), default=0)
    count = len({e.seed.number for e in own})
    runs = [entry.member.run for entry in own]
    return {"name": best, "command": fresh_seeds_command(runs, latest + 1, count, study)}


def _run(member: StudyRun) -> dict[str, Any]:
    run, status = member.run, member.run.status
    return {
        "name": run.name,
        "candidate": member.candidate.name,
        "setting": member.setting,
        "state": status.state,
        "step": status.step,
        "steps": status.steps,
        "seeds": status.seeds,
        "diverged": {str(seed): step for seed, step in sorted(status.diverged.items())},
        "reason": status.reason,
        "counted": member.exclusion_reason is None,
        "exclusion_reason": member.exclusion_reason,
        "command": repeat_command(run),
        "exact": is_exact(run),
        "seconds": status.seconds,
        "device": status.device,
        "host": status.host,
    }
