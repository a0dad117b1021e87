"""From a study to the plain dictionary that is ``report.json``: all that a report says is computed here."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

from gan_lab.report import claims, verdict
from gan_lab.report.across import analyze_overall, analyze_tuned
from gan_lab.report.claims import ALPHA
from gan_lab.report.commands import fresh_seeds_commands, is_exact, origin_note, repeat_command
from gan_lab.report.comparable import check_comparable
from gan_lab.report.comparison.race import Look
from gan_lab.report.completeness import missing
from gan_lab.report.declared import (
    DeclaredMargin,
    PrimaryMetric,
    Reference,
    margin,
    primary_metric,
    reference,
)
from gan_lab.report.entries import Entry, StudyRun, entries, study_runs
from gan_lab.report.glossary import glossary
from gan_lab.report.methods import limitations, methods_table
from gan_lab.report.race import BY_ITSELF, account_for_looks, race_sentence, read_race
from gan_lab.report.race import STATISTICS as RACE_STATISTICS
from gan_lab.report.sentences import Sentence, sentence
from gan_lab.report.setting import Evidence, Part, Question, analyze_setting
from gan_lab.report.statistics_notes import statistics_notes
from gan_lab.report.strata import sort_key, split_values
from gan_lab.report.text import join_names
from gan_lab.runs.study import StudyFolder
from gan_lab.utils.errors import GanLabError
from gan_lab.utils.paths import quoted

Report = dict[str, Any]
Progress = Callable[[str, int, int], None]
REPORT_FORMAT = 2
MOST_DETAILED = 12  # settings that are shown one by one; of more there is a summary


def analyze(
    study: StudyFolder,
    everyone: Sequence[StudyRun] | None = None,
    *,
    primary: str | None = None,
    reference_name: str | None = None,
    margin_text: str | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Report:
    """Return the report on a study; nothing in it is a NaN or an infinity.

    everyone: its runs, if they were read already. ``primary``, ``reference_name`` and ``margin_text`` replace
    what the runs declared, which the report then says. ``progress`` is told (stage, done, total).
    """
    if not study.runs:
        raise GanLabError(f"{study.folder} has no readable run: " + "; ".join(study.damaged.values()))
    notes: list[str] = []
    everyone = study_runs(study.runs) if everyone is None else everyone
    counted = entries(everyone, notes)
    if not counted:
        raise GanLabError(_nothing_complete(study, everyone))
    check_comparable(counted)
    metric = primary_metric(counted, primary)
    against = reference(everyone, reference_name, notes)
    declared_margin = margin(everyone, metric, margin_text)
    asked = Question(metric, against.name, declared_margin)
    race, looks = read_race(study, everyone, metric, notes)
    evidence, settings = _settings(everyone, counted, asked, sorted(study.damaged), notes, progress, looks)
    if race is None:
        overall, reason = analyze_overall(evidence, settings, asked)
        tuned = analyze_tuned(evidence, settings, metric)
    else:
        overall, reason, tuned = None, BY_ITSELF if len(settings) > 1 else "", []
    table = methods_table(counted, metric)
    report = {
        "format": REPORT_FORMAT,
        "study": study.name,
        "folder": str(study.folder),
        "written": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "gan_lab": version("gan-lab"),
        "primary": _primary(metric),
        "reference": _reference(against),
        "margin": _margin(declared_margin),
        "verdict": _verdict(study, settings, overall, reason, tuned, asked, race)
        | _advice(counted, settings, overall, tuned, metric, study.name),
        "race": race,
        "settings": settings,
        "overall": overall,
        "tuned": tuned,
        "runs": [_run(one) for one in everyone],
        "damaged": study.damaged | _damaged(everyone),
        "archived": study.archived,
        "notes": list(dict.fromkeys(notes)),
        "origin": origin_note(study.runs),
        "glossary": glossary(counted, metric),
        "methods": table,
        "statistics": [
            *statistics_notes(settings, overall, tuned, declared_margin, raced=bool(looks)),
            *([RACE_STATISTICS.format(alpha=race["alpha"])] if race and looks else []),
        ],
        "limitations": limitations(counted, dict(table)),
    }
    finite: Report = without_infinities(report)
    return finite


def without_infinities(value: Any) -> Any:
    """Replace every number that JSON has no word for by None."""
    if isinstance(value, Mapping):
        return {str(key): without_infinities(inside) for key, inside in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_infinities(inside) for inside in value]
    if hasattr(value, "item"):  # numpy's numbers
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _nothing_complete(study: StudyFolder, everyone: Sequence[StudyRun]) -> str:
    first = everyone[0]
    return (
        f"no run of {study.folder} is complete: {first.run.name} {first.exclusion_reason}; gan-lab ls "
        f"{quoted(study.folder)} shows how far they are"
    )


def _settings(
    everyone: Sequence[StudyRun],
    counted: Sequence[Entry],
    asked: Question,
    unreadable: list[str],
    notes: list[str],
    progress: Progress,
    looks: Mapping[str, Sequence[Look]],
) -> tuple[dict[str, Evidence], list[Part]]:
    """Analyze every setting, in order of its values."""
    values = {one.setting: one.values for one in everyone}
    names = sorted(values, key=lambda name: sort_key(values[name]))
    absent = missing(everyone, counted)
    by_setting: dict[str, list[Entry]] = {name: [] for name in names}
    for entry in counted:
        by_setting[entry.study_run.setting].append(entry)
    evidence = {name: Evidence.of(by_setting[name], asked.metric) for name in names}
    asked = replace(asked, detailed=len(names) <= MOST_DETAILED)
    parts = []
    for done, name in enumerate(names):
        progress("comparing", done, len(names))
        part = {"name": name, "values": values[name], "unreadable": unreadable, **absent[name]}
        part |= analyze_setting(evidence[name], asked, notes)
        part = account_for_looks(part, looks.get(name, []), ALPHA)
        part["verdict"] = verdict.setting_verdict(part, asked.metric, asked.reference, asked.margin, name)
        parts.append(part)
    return evidence, parts


def _verdict(
    study: StudyFolder,
    settings: Sequence[Part],
    overall: Part | None,
    reason: str,
    tuned: Sequence[Part],
    asked: Question,
    race: Part | None,
) -> dict[str, Any]:
    """Put the sentences together, and the facts that they rest on."""
    sentences: list[Sentence] = []
    if study.damaged:
        names = join_names(list(study.damaged))
        sentences.append(sentence("damaged", f"Not readable, and so missing here: {names}."))
    if len(settings) == 1:
        sentences += settings[0]["verdict"]["sentences"]
    else:
        tuning = [split_values(setting["values"]) for setting in settings]
        keys = {key for _, means in tuning for key in means}
        alone = len(keys) == 1 and not any(problem for problem, _ in tuning)
        sentences += verdict.settings_summary(settings, asked.reference)
        sentences += verdict.overall_sentences(overall, reason, settings, keys.pop() if alone else "")
        sentences += [one for part in tuned for one in verdict.tuned_sentences(part, asked.metric)]
    if race is not None:
        sentences.append(race_sentence(race))
    main = overall if len(settings) > 1 else settings[0]
    incomplete = list(dict.fromkeys(one["name"] for part in settings for one in part["incomplete"]))
    certain = main is not None and not incomplete and not study.damaged
    return {
        "text": verdict.headline(sentences),
        "sentences": sentences,
        "winner": main["winner"] if main is not None and certain else None,
        "tied": main["tied"] if main is not None else [],
        "worse": main["worse"] if main is not None else [],
        "incomplete": incomplete,
        "exploratory": all(part["exploratory"] for part in settings if part["rows"])
        and any(part["rows"] for part in settings),
        "commands": list(
            dict.fromkeys(
                command
                for part in settings
                for one in (*part["incomplete"], *part["partial"])
                for command in one["commands"]
            )
        ),
    }


def _advice(
    counted: Sequence[Entry],
    settings: Sequence[Part],
    overall: Part | None,
    tuned: Sequence[Part],
    metric: PrimaryMetric,
    study: str,
) -> dict[str, Any]:
    """Say what to do before believing the best, and what the study could see."""
    single = settings[0] if len(settings) == 1 else None
    main = overall if single is None else single
    advice: dict[str, Any] = {"bias": "", "power": "", "rerun": None}
    if main is None or len(main["rows"]) < 2 or (single and (single["all_equal"] or not _has_best(single))):
        return advice
    best, value = main["rows"][0]["name"], None
    if single is None and main["winner"] is None and len(tuned) == 1 and tuned[0]["winner"] is not None:
        best, value = tuned[0]["winner"], tuned[0]["rows"][0]["best_setting"]
    own = [entry for entry in counted if entry.name == best and value in (None, entry.study_run.setting)]
    first = max(entry.seed.number for entry in counted) + 1
    count = len({entry.seed.number for entry in own})
    runs = list({entry.study_run.run.name: entry.study_run.run for entry in own}.values())
    return {
        "bias": claims.bias(len(main["rows"]), best, single, metric),
        "power": claims.power(single, metric) if single else "",
        "rerun": {"name": best, "commands": fresh_seeds_commands(runs, first, count, study)},
    }


def _has_best(part: Part) -> bool:
    """Return whether the first of a ranking has a score, and has not only diverged least."""
    return bool(math.isfinite(part["rows"][0]["iqm"]))


def _primary(metric: PrimaryMetric) -> dict[str, Any]:
    post_hoc = metric.declared is not None
    return {
        "name": metric.name,
        "direction": metric.direction,
        "post_hoc": post_hoc,
        "declared": metric.declared,
    }


def _reference(against: Reference) -> dict[str, Any]:
    return {
        "name": against.name,
        "wanted": against.wanted,
        "post_hoc": against.declared is not None,
        "declared": against.declared,
    }


def _margin(declared: DeclaredMargin | None) -> dict[str, Any] | None:
    if declared is None:
        return None
    value, share = declared.margin
    return {"value": value, "share": share, "text": declared.text, "post_hoc": declared.post_hoc}


def _damaged(everyone: Sequence[StudyRun]) -> dict[str, str]:
    """Return runs of which a file is damaged beyond its status and configuration."""
    return {one.run.name: str(one.exclusion_reason) for one in everyone if one.remedy == "repair"}


def _run(one: StudyRun) -> dict[str, Any]:
    run, status = one.run, one.run.status
    return {
        "name": run.name,
        "candidate": one.name,
        "setting": one.setting,
        "state": run.state,
        "step": status.step if one.exclusion_reason is None else run.step,
        "steps": status.steps,
        "seeds": status.seeds,
        "diverged": {str(seed): step for seed, step in sorted(status.diverged.items())},
        "counted": one.exclusion_reason is None,
        "exclusion_reason": one.exclusion_reason,
        "command": repeat_command(run),
        "exact": is_exact(run),
        "seconds": status.seconds,
        "device": status.device,
        "host": status.host,
    }
